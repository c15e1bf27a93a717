import { createHash } from "node:crypto";
import type { ReceivedUnit, Surrogate, Verdict } from "../../engine/intake/connector.js";
import type { FileReader } from "./file-reader.js";
import { columnName, type FileProblem } from "./layout.js";
import { Occurrences } from "./occurrences.js";
import type { Piece } from "./piece.js";
import type { Profile } from "./profile.js";
import { type Formats, formatsOf, Reading } from "./reading.js";
import { fieldNumbers, type Row } from "./row-reader.js";
import { textsOf } from "./row-texts.js";
import { translateRow } from "./translate.js";
import type { Translation } from "./translation.js";

export interface EntryOptions {
  readonly partner: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  readonly transmissionId: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  /** Why the whole file is rejected. */
  readonly refusal: FileProblem | null;
  /** Said of every row. */
  readonly flags: readonly string[];
}

/** A row's entry, and what its sender is told of it. */
export interface RowEntry {
  readonly unit: ReceivedUnit;
  readonly told: ToldRow;
}

/** What a row's sender is told; kept until the row is durable, so it holds on to no more than that. */
export interface ToldRow {
  readonly line: number;
  readonly controlId: string | null;
  /** Name of the column in error. */
  readonly column: string | null;
  readonly duplicate: boolean;
  /** The row without its line end: a rejected one is sent back. */
  readonly row: Buffer;
}

interface Judgement {
  readonly verdict: Verdict;
  readonly column: string | null;
}

/** Makes journal entries of the pieces of one file, in order. */
export class FileEntries {
  readonly #options: EntryOptions;
  readonly #file: FileReader;
  readonly #formats: Formats;
  readonly #occurrences = new Occurrences();
  readonly #hash = createHash("sha256");
  readonly #feed: string;
  readonly #format: string;
  /** In front of the names of what a row is about. */
  readonly #scope: readonly string[];
  #header = "";
  #bytes = 0;
  #ordinal = 0;
  #units = 0;
  /** The last row has no line end. */
  isUnended = false;

  /** @param file what reads the file: it knows the layout when it gives the first row. */
  constructor(file: FileReader, options: EntryOptions) {
    this.#file = file;
    this.#options = options;
    this.#formats = formatsOf(options.profile);
    const { partner, profile } = options;
    this.#feed = `${partner}/${profile.facility}`;
    this.#format = `CSV ${profile.rows}`;
    this.#scope = ["csv", partner, profile.facility, profile.rows];
  }

  /** Bytes of the file as they are read, for the digest of the whole. */
  saw(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  entry(piece: Piece): RowEntry | ReceivedUnit {
    const transport = this.#advance(piece);
    if (piece.kind === "row" && piece.row) return this.#row(piece.row, transport);
    if (piece.kind === "header") this.#header = createHash("sha256").update(piece.bytes).digest("hex");
    return {
      ...this.#base(piece.bytes),
      entry: "ENVELOPE",
      format: `CSV ${piece.kind}`,
      verdict: verdictOf(this.#refusal),
      answer: answerOf,
      sealFor: [],
      events: [],
      transport,
    };
  }

  /** The entry that makes the file complete; it comes last. */
  closing(): ReceivedUnit {
    return {
      ...this.#base(new Uint8Array(0)),
      entry: "CLOSING",
      format: "CSV",
      verdict: verdictOf(this.#refusal),
      answer: answerOf,
      sealFor: [],
      events: [],
      transport: { transmissionId: this.#options.transmissionId, ordinal: this.#ordinal, byteOffset: this.#bytes },
      // A digest stands for the bytes: a file may be larger than the memory.
      closing: { entries: this.#ordinal, units: this.#units, bytes: this.#bytes, content: [this.#hash.digest()] },
    };
  }

  get #refusal(): FileProblem | null {
    return this.#options.refusal ?? this.#file.problem;
  }

  #base(bytes: Uint8Array) {
    const { partner } = this.#options;
    return { partner, feed: this.#feed, bytes };
  }

  #advance({ bytes, offset, kind }: Piece): NonNullable<ReceivedUnit["transport"]> {
    const transport = { transmissionId: this.#options.transmissionId, ordinal: this.#ordinal, byteOffset: offset };
    this.#bytes += bytes.length;
    this.#ordinal += 1;
    if (kind === "row") this.#units += 1;
    return transport;
  }

  #row(row: Row, transport: ReceivedUnit["transport"]): RowEntry {
    if (this.#file.isUnended(row)) this.isUnended = true;
    const read = this.#read(row);
    if ("verdict" in read) return this.#rejected(row, transport, read, null);
    const { layout } = this.#file;
    const translation = layout && translateRow(read, layout, this.#options);
    if (read.problem) {
      const judgement = inColumn(row, read.problem.code, read.problem.column);
      return this.#rejected(row, transport, judgement, translation?.number ?? null);
    }
    if (!translation) return this.#rejected(row, transport, inColumn(row, "CSV_VALUE_MISSING", null), null);
    return this.#accepted(row, transport, translation);
  }

  #rejected(
    row: Row,
    transport: ReceivedUnit["transport"],
    { verdict, column }: Judgement,
    controlId: string | null,
  ): RowEntry {
    return {
      unit: {
        ...this.#base(row.bytes),
        entry: "UNIT",
        format: this.#format,
        verdict,
        ...(this.isUnended && { flags: unended }),
        answer: answerOf,
        sealFor: [],
        events: [],
        ...(transport && { transport }),
      },
      told: { line: row.line, controlId, column, duplicate: false, row: row.bytes.subarray(0, row.length) },
    };
  }

  #accepted(row: Row, transport: ReceivedUnit["transport"], translation: Translation): RowEntry {
    const { profile, partner } = this.#options;
    const { number, names, ids, sealFor } = translation;
    const content = row.bytes.subarray(0, row.length);
    const { ordinal, repeated } = this.#occurrences.add(ids, content);
    const scope = this.#scope;
    const last = scope.length + names.length;
    // Filled in place: spread into each other, lists grow several times before they are right.
    const resource: string[] = new Array(last + 1);
    const parts: (string | Uint8Array)[] = new Array(last + 2);
    for (let index = 0; index < last; index++) {
      const name = (index < scope.length ? scope[index] : names[index - scope.length]) as string;
      resource[index] = name;
      parts[index] = name;
    }
    resource[last] = String(ordinal);
    parts[last] = this.#header;
    parts[last + 1] = content;
    // Written out in one: put together piece by piece, a unit takes several times the memory and time.
    const unit: ReceivedUnit = {
      entry: "UNIT",
      partner,
      feed: this.#feed,
      format: this.#format,
      bytes: row.bytes,
      verdict: accepted,
      flags: this.#flagsOf(translation),
      answer: answerOf,
      // A claim's number stands for one telling only; a patient is told again under the same number.
      controlId: profile.rows === "payments" ? { scope: resource, value: number } : undefined,
      identity: { rule: "LATEST", parts, resource },
      sealFor,
      events: translation.events(ordinal),
      transport,
      closing: undefined,
    };
    return { unit, told: { line: row.line, controlId: number, column: null, duplicate: repeated, row: content } };
  }

  #flagsOf({ flags }: Translation): readonly string[] {
    const { flags: ofAll } = this.#options;
    if (ofAll.length === 0 && !this.isUnended) return flags;
    return [...ofAll, ...flags, ...(this.isUnended ? unended : [])];
  }

  /** The texts of a row; a verdict where it can't be read. */
  #read(row: Row): Reading | Judgement {
    const refusal = this.#refusal;
    if (refusal) {
      return { verdict: { accepted: false, code: refusal.code, location: refusal.location }, column: refusal.location };
    }
    const { layout } = this.#file;
    const nameOf = (field: number): string => (layout ? columnName(layout, field - 1) : `column ${field}`);
    if (row.problem) return inColumn(row, row.problem.code, nameOf(row.problem.field));
    if (layout?.width !== row.fields.length / fieldNumbers) return inColumn(row, "CSV_ROW_WIDTH", null);
    const { writing } = this.#options.profile;
    if (this.isUnended && writing.lastRow === "ended") return inColumn(row, "CSV_ROW_UNENDED", null);
    const texts = textsOf(row, writing.charset, writing);
    return typeof texts === "number"
      ? inColumn(row, "CSV_CHARACTER_SET", nameOf(texts))
      : new Reading(texts, layout, this.#formats);
  }
}

function inColumn({ line }: Row, code: string, column: string | null): Judgement {
  const location = column === null ? `line ${line}` : `line ${line} ${column}`;
  return { verdict: { accepted: false, code, location }, column };
}

function verdictOf(problem: FileProblem | null): Verdict {
  return problem ? { accepted: false, code: problem.code, location: problem.location } : { accepted: true };
}

const accepted: Verdict = { accepted: true };
const unended = ["NO_LINE_END"];

const answerOf = (verdict: Verdict): string => (verdict.accepted ? "accepted" : verdict.code);
