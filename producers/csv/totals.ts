import type { ByteSource } from "../../engine/reception/byte-source.js";
import { FileReader } from "./file-reader.js";
import type { FileProblem } from "./layout.js";
import type { Profile } from "./profile.js";
import { formatsOf, Reading } from "./reading.js";
import type { Row } from "./row-reader.js";
import { textsOf } from "./row-texts.js";

/** One control total of a file, as told by its trailer and as found. */
export interface ControlTotal {
  /** `count`, or the column summed. */
  readonly name: string;
  readonly agrees: boolean;
}

export interface TotalsCheck {
  readonly totals: readonly ControlTotal[];
  readonly problem: FileProblem | null;
}

/** Counts and sums the rows of a file, in a first pass over it, and compares them with its trailer. */
export async function checkTotals(source: ByteSource, profile: Profile): Promise<TotalsCheck> {
  const sums = new Sums(profile);
  for await (const chunk of source.chunks()) sums.push(chunk);
  return sums.end();
}

class Sums {
  readonly #profile: Profile;
  readonly #formats;
  readonly #file: FileReader;
  #rows = 0;
  #sums: bigint[] = [];
  #trailer: Row | null = null;
  #after = false;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#formats = formatsOf(profile);
    this.#file = new FileReader(profile);
  }

  push(chunk: Buffer): void {
    this.#file.feed(chunk);
    this.#takeAll();
  }

  end(): TotalsCheck {
    this.#file.finish();
    this.#takeAll();
    const { totals } = this.#profile;
    const { layout, problem } = this.#file;
    if (problem || !layout || !totals) return { totals: [], problem };
    const reading = this.#trailer && this.#reading(this.#trailer);
    if (!reading || !this.#trailer || this.#after) {
      return { totals: [], problem: { code: "CSV_TRAILER_MISSING", location: "last line" } };
    }
    const found: ControlTotal[] = [];
    if (totals.count !== undefined) {
      const told = reading.at(totals.count - 1);
      found.push({ name: "count", agrees: /^\d{1,15}$/.test(told) && Number(told) === this.#rows });
    }
    for (const [index, { name, position }] of layout.sums.entries()) {
      const told = reading.centsAt(position - 1);
      found.push({ name, agrees: told !== null && BigInt(told) === (this.#sums[index] ?? 0n) });
    }
    const wrong = found.filter(({ agrees }) => !agrees).map(({ name }) => name);
    const location = `line ${this.#trailer.line} ${wrong.join(", ")}`;
    return { totals: found, problem: wrong.length > 0 ? { code: "CSV_TOTALS", location } : null };
  }

  #takeAll(): void {
    for (let piece = this.#file.next(); piece; piece = this.#file.next()) this.#take(piece.kind, piece.row);
  }

  #take(kind: string, row: Row | null): void {
    if (!row || (kind !== "row" && kind !== "trailer")) return;
    if (this.#trailer) this.#after = true;
    if (kind === "trailer") this.#trailer = row;
    else this.#add(row);
  }

  #add(row: Row): void {
    this.#rows += 1;
    const sums = this.#file.layout?.sums ?? [];
    if (sums.length === 0) return;
    const reading = this.#reading(row);
    for (const [index, { at }] of sums.entries()) {
      this.#sums[index] = (this.#sums[index] ?? 0n) + BigInt(reading?.centsAt(at) ?? 0);
    }
  }

  #reading(row: Row): Reading | null {
    const { layout } = this.#file;
    const texts = textsOf(row, this.#profile.writing.charset, this.#profile.writing);
    return layout && typeof texts !== "number" ? new Reading(texts, layout, this.#formats) : null;
  }
}
