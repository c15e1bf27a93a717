import type { Charset } from "./charset.js";

/** How rows are written. */
export interface Dialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** One ASCII character, or empty: nothing is quoted. */
  readonly quote: string;
  /** How a quote inside a quoted field is written. */
  readonly escape: "doubled" | "backslash";
  readonly charset: Charset;
  /** Most bytes of a row. */
  readonly rowLimit: number;
}

/** What is wrong with the writing of a row, and in which of its fields, from 1. */
export interface RowProblem {
  readonly code: "CSV_QUOTE" | "CSV_QUOTE_UNCLOSED" | "CSV_ROW_TOO_LONG" | "CSV_NUL";
  readonly field: number;
}

/** A field in the bytes of its row, without the quotes around it. */
export interface FieldSlice {
  readonly start: number;
  readonly end: number;
  /** Holds escapes that must be undone. */
  readonly escaped: boolean;
}

export interface Row {
  /** The row with its line end, exactly as received. */
  readonly bytes: Buffer;
  /** Bytes without the line end. */
  readonly length: number;
  /** Place of the first byte in the file. */
  readonly offset: number;
  /** Its first line in the file, from 1. */
  readonly line: number;
  readonly fields: readonly FieldSlice[];
  /** Nothing but ASCII in it. */
  readonly ascii: boolean;
  readonly problem: RowProblem | null;
  /** A further piece of a row that was over the limit. */
  readonly continued: boolean;
}

const CR = 13;
const LF = 10;
const BACKSLASH = 92;

type State = "start" | "plain" | "quoted" | "closed";

/**
 * Cuts bytes into rows (RFC 4180), in memory for one row, however the bytes arrive. A row ends with CRLF, LF or CR.
 *
 * A quote opens a field only as its first character, so a mistake in one row does not reach the next, unless a quote is
 * never closed: then everything from that row on is one row in error. A row over the limit is given in pieces: from there
 * on nothing is read as rows any more.
 */
export class RowReader {
  readonly #width: 1 | 2;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #backslash: boolean;
  readonly #rowLimit: number;
  #held: Buffer = Buffer.alloc(0);
  #offset = 0;
  #line = 1;
  /** A row could not be read to its end: what follows is given as it comes. */
  #lost: RowProblem | null = null;
  #continued = false;

  constructor(dialect: Dialect) {
    this.#width = dialect.charset === "utf-16le" ? 2 : 1;
    this.#delimiter = dialect.delimiter.charCodeAt(0);
    this.#quote = dialect.quote === "" ? -1 : dialect.quote.charCodeAt(0);
    this.#backslash = dialect.escape === "backslash";
    this.#rowLimit = dialect.rowLimit;
  }

  /** The rows that are complete with this chunk. */
  *push(chunk: Buffer): Generator<Row> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    yield* this.#rows(false);
  }

  /** What is left, when no more bytes come. */
  *end(): Generator<Row> {
    yield* this.#rows(true);
  }

  *#rows(last: boolean): Generator<Row> {
    let at = 0;
    while (at < this.#held.length) {
      const row = this.#lost ? this.#remainder(at) : this.#row(at, last);
      if (!row) break;
      at += row.bytes.length;
      yield row;
    }
    this.#held = this.#held.subarray(at);
  }

  /** Bytes after a row that could not be read, in pieces of at most the row limit. */
  #remainder(at: number): Row {
    const bytes = this.#held.subarray(at, at + this.#rowLimit);
    const row = this.#made(bytes, bytes.length, [], false, this.#lost);
    this.#continued = true;
    return row;
  }

  /** @param lines that end in it; counted when it isn't said. */
  #made(
    bytes: Buffer,
    length: number,
    fields: readonly FieldSlice[],
    ascii: boolean,
    problem: RowProblem | null,
    lines = linesIn(bytes, this.#width),
  ): Row {
    const continued = this.#continued;
    const row = { bytes, length, offset: this.#offset, line: this.#line, fields, ascii, problem, continued };
    this.#offset += bytes.length;
    this.#line += lines;
    return row;
  }

  /** @returns null when the row's end has not come yet. */
  #row(from: number, last: boolean): Row | null {
    const held = this.#held;
    const width = this.#width;
    const stop = held.length - (held.length % width);
    const fields: FieldSlice[] = [];
    let state: State = "start";
    let start = from;
    let end = from;
    let escaped = false;
    let high = 0;
    let problem: RowProblem | null = null;
    let quotedFrom = 0;
    /** There may be line ends inside of quotes: else a row is one line. */
    let broken = false;
    const note = (code: RowProblem["code"]): void => {
      problem ??= { code, field: fields.length + 1 };
    };
    let at = from;
    for (; at < stop; at += width) {
      const unit = width === 1 ? (held[at] as number) : held.readUInt16LE(at);
      high |= unit;
      if (unit === 0) note("CSV_NUL");
      if (state === "quoted") {
        if (unit === BACKSLASH && this.#backslash) {
          escaped = true;
          broken = true;
          if (at + width >= stop) continue;
          at += width;
          if ((width === 1 ? held[at] : held.readUInt16LE(at)) === 0) note("CSV_NUL");
        } else if (unit === this.#quote) {
          state = "closed";
          end = at;
        } else if (unit === LF || unit === CR) broken = true;
        continue;
      }
      if (unit === this.#delimiter) {
        fields.push({ start: start - from, end: (state === "closed" ? end : at) - from, escaped });
        state = "start";
        start = at + width;
        escaped = false;
        continue;
      }
      if (unit === LF || unit === CR) {
        let after = at + width;
        if (unit === CR) {
          // Whether a line feed belongs to it can't be said yet.
          if (after >= stop && !last) return this.#tooLong(from, "CSV_ROW_TOO_LONG", 1);
          if (after < stop && (width === 1 ? held[after] : held.readUInt16LE(after)) === LF) after += width;
        }
        fields.push({ start: start - from, end: (state === "closed" ? end : at) - from, escaped });
        const bytes = held.subarray(from, after);
        return this.#made(bytes, at - from, fields, high < 128, problem, broken ? undefined : 1);
      }
      if (unit === this.#quote) {
        if (state === "start") {
          state = "quoted";
          quotedFrom = fields.length + 1;
          start = at + width;
        } else if (state === "closed" && !this.#backslash) {
          state = "quoted";
          escaped = true;
        } else {
          note("CSV_QUOTE");
          state = "plain";
        }
        continue;
      }
      if (state === "closed") note("CSV_QUOTE");
      state = "plain";
    }
    const unclosed: RowProblem = { code: "CSV_QUOTE_UNCLOSED", field: quotedFrom };
    if (!last && state === "quoted") return this.#tooLong(from, "CSV_QUOTE_UNCLOSED", quotedFrom);
    if (!last) return this.#tooLong(from, "CSV_ROW_TOO_LONG", fields.length + 1);
    if (at < held.length) note("CSV_QUOTE");
    fields.push({ start: start - from, end: (state === "closed" ? end : at) - from, escaped });
    const bytes = held.subarray(from);
    return this.#made(bytes, bytes.length, fields, high < 128, state === "quoted" ? unclosed : problem);
  }

  /** Gives up on a row that is over the limit and has not ended. */
  #tooLong(from: number, code: RowProblem["code"], field: number): Row | null {
    if (this.#held.length - from <= this.#rowLimit) return null;
    this.#lost = { code, field };
    return this.#remainder(from);
  }
}

/** Line ends in bytes: CRLF, LF, and CR by itself. */
function linesIn(bytes: Buffer, width: 1 | 2): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) lines += 1;
  for (let at = bytes.indexOf(CR); at >= 0; at = bytes.indexOf(CR, at + 1)) if (bytes[at + width] !== LF) lines += 1;
  return lines;
}

/** Whether there is nothing in a row but its line end. */
export const isBlank = (row: Row): boolean => row.length === 0;
