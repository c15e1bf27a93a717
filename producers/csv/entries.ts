import { createHash } from "node:crypto";
import type { ReceivedUnit, Surrogate, Verdict } from "../../engine/intake/connector.js";
import { textsOf } from "./charset.js";
import type { FileReader, Piece } from "./file-reader.js";
import { columnName, type FileProblem } from "./layout.js";
import { Occurrences } from "./occurrences.js";
import type { Profile } from "./profile.js";
import { type Formats, formatsOf, Reading } from "./reading.js";
import type { Row } from "./row-reader.js";
import { translateRow } from "./translate.js";

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
  readonly line: number;
  readonly controlId: string | null;
  /** Name of the column in error. */
  readonly column: string | null;
  readonly duplicate: boolean;
  readonly row: Row;
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
  #header = "";
  #bytes = 0;
  #ordinal = 0;
  #units = 0;

  /** @param file what reads the file: it knows the layout when it gives the first row. */
  constructor(file: FileReader, options: EntryOptions) {
    this.#file = file;
    this.#options = options;
    this.#formats = formatsOf(options.profile);
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
    const { partner, profile } = this.#options;
    return { partner, feed: `${partner}/${profile.facility}`, bytes };
  }

  #advance({ bytes, offset, kind }: Piece): NonNullable<ReceivedUnit["transport"]> {
    const transport = { transmissionId: this.#options.transmissionId, ordinal: this.#ordinal, byteOffset: offset };
    this.#bytes += bytes.length;
    this.#ordinal += 1;
    if (kind === "row") this.#units += 1;
    return transport;
  }

  #row(row: Row, transport: ReceivedUnit["transport"]): RowEntry {
    const { profile, partner } = this.#options;
    const unit = {
      ...this.#base(row.bytes),
      entry: "UNIT" as const,
      format: `CSV ${profile.rows}`,
      answer: answerOf,
      sealFor: [],
      events: [],
      ...(transport && { transport }),
    };
    const rejected = ({ verdict, column }: Judgement, number: string | null): RowEntry => {
      return { unit: { ...unit, verdict }, line: row.line, controlId: number, column, duplicate: false, row };
    };
    const read = this.#read(row);
    if ("verdict" in read) return rejected(read, null);
    const { layout } = this.#file;
    const translation = layout && translateRow(read, layout, this.#options);
    if (read.problem)
      return rejected(inColumn(row, read.problem.code, read.problem.column), translation?.number ?? null);
    if (!translation) return rejected(inColumn(row, "CSV_VALUE_MISSING", null), null);
    const subject = [partner, profile.facility, profile.rows, ...translation.names];
    const content = row.bytes.subarray(0, row.length);
    const { ordinal, repeated } = this.#occurrences.add(JSON.stringify(subject), content);
    const flags = [...this.#options.flags, ...translation.flags];
    const isPayment = profile.rows === "payments";
    return {
      line: row.line,
      controlId: translation.number,
      column: null,
      duplicate: repeated,
      row,
      unit: {
        ...unit,
        verdict: { accepted: true },
        flags,
        sealFor: translation.sealFor,
        events: translation.events(ordinal),
        identity: {
          rule: "LATEST",
          parts: ["csv", ...subject, this.#header, content],
          resource: ["csv", ...subject, String(ordinal)],
        },
        // A claim's number stands for one telling only; a patient is told again under the same number.
        ...(isPayment && {
          controlId: { scope: ["csv", ...subject, String(ordinal)], value: translation.number },
        }),
      },
    };
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
    if (layout?.width !== row.fields.length) return inColumn(row, "CSV_ROW_WIDTH", null);
    const { writing } = this.#options.profile;
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

const answerOf = (verdict: Verdict): string => (verdict.accepted ? "accepted" : verdict.code);
