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
  /** Lines that begin so are no rows; empty or left out: none are. */
  readonly comment?: string;
  /** Lines before the first row; default: none. */
  readonly skipLines?: number;
  /** Most bytes of a row. */
  readonly rowLimit: number;
}

/** What is wrong with the writing of a row, and in which of its fields, from 1. */
export interface RowProblem {
  readonly code: "CSV_QUOTE" | "CSV_QUOTE_UNCLOSED" | "CSV_ROW_TOO_LONG" | "CSV_NUL";
  readonly field: number;
}

/**
 * Where fields lie in the bytes of their row, without the quotes around them: of each its start, its end, and 1 where it
 * holds escapes that must be undone. Numbers in one list: an object for each would be a third of what a row takes.
 */
export type FieldPlaces = readonly number[];
/** Numbers of a field. */
export const fieldNumbers = 3;

export interface Row {
  /** The row with its line end, exactly as received. */
  readonly bytes: Buffer;
  /** Bytes without the line end. */
  readonly length: number;
  /** Place of the first byte in the file. */
  readonly offset: number;
  /** Its first line in the file, from 1. */
  readonly line: number;
  readonly fields: FieldPlaces;
  /** Nothing but ASCII in it. */
  readonly ascii: boolean;
  readonly problem: RowProblem | null;
  /** A further piece of a row that was over the limit. */
  readonly continued: boolean;
  /** Nothing but delimiters in it, or nothing at all: its fields are empty, and none is quoted. */
  readonly blank: boolean;
}

const CR = 13;
const LF = 10;
const BACKSLASH = 92;

type State = "start" | "plain" | "quoted" | "closed";

/**
 * Cuts bytes into rows (RFC 4180), in memory for one row, however the bytes arrive. A row ends with CRLF, LF or CR.
 *
 * A quote opens a field only as its first character, so a mistake in one row does not reach the next, unless a quote is
 * never closed: then everything from that row on is one row in error. In a comment, and in a line before the first row, a
 * quote means nothing: it ends with its line, or rows after it would be part of it. A row over the limit is given in pieces: from there
 * on nothing is read as rows any more.
 */
export class RowReader {
  readonly #width: 1 | 2;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #backslash: boolean;
  readonly #rowLimit: number;
  /** Bytes that mean something or may; the others are passed over in one go. Empty where characters are two bytes. */
  readonly #telling: Uint8Array;
  #held: Buffer = Buffer.alloc(0);
  /** Where in them the next row begins. */
  #at = 0;
  #last = false;
  /** Numbers that the fields of the row before took: most have as many. */
  #numbers = 0;
  #offset = 0;
  #line = 1;
  /** A row could not be read to its end: what follows is given as it comes. */
  #lost: RowProblem | null = null;
  #continued = false;
  readonly #comment: Buffer;
  /** Lines that are still to be passed over. */
  #skip: number;

  constructor(dialect: Dialect) {
    this.#width = dialect.charset === "utf-16le" ? 2 : 1;
    this.#delimiter = dialect.delimiter.charCodeAt(0);
    this.#quote = dialect.quote === "" ? -1 : dialect.quote.charCodeAt(0);
    this.#backslash = dialect.escape === "backslash";
    this.#rowLimit = dialect.rowLimit;
    this.#comment = Buffer.from(dialect.comment ?? "", this.#width === 2 ? "utf16le" : "latin1");
    this.#skip = dialect.skipLines ?? 0;
    this.#telling = new Uint8Array(this.#width === 1 ? 256 : 0);
    for (const byte of [0, LF, CR, BACKSLASH, this.#delimiter, this.#quote]) this.#telling[byte] = 1;
  }

  /** Takes the next bytes; {@link next} then gives the rows that are complete with them. */
  feed(chunk: Buffer): void {
    const rest = this.#held.subarray(this.#at);
    this.#held = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /** No more bytes come: {@link next} gives what is left too. */
  finish(): void {
    this.#last = true;
  }

  /** Line on which the next row begins, from 1. */
  get line(): number {
    return this.#line;
  }

  /** The next row; null when it is not there yet, or none is left. One at a time: rows that wait are moved by the collector. */
  next(): Row | null {
    if (this.#at >= this.#held.length) return null;
    const row = this.#lost ? this.#remainder(this.#at) : this.#row(this.#at, this.#last);
    if (row) this.#at += row.bytes.length;
    if (row && this.#skip > 0) this.#skip -= 1;
    return row;
  }

  /** Whether the next line is no row, as far as its bytes have come. */
  #isNoRow(from: number): boolean {
    if (this.#skip > 0) return true;
    const { length } = this.#comment;
    return length > 0 && this.#held.subarray(from, from + length).equals(this.#comment);
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
    fields: FieldPlaces,
    ascii: boolean,
    problem: RowProblem | null,
    lines = linesIn(bytes, this.#width),
  ): Row {
    const continued = this.#continued;
    const blank = length === (fields.length / fieldNumbers - 1) * this.#width;
    const row = { bytes, length, offset: this.#offset, line: this.#line, fields, ascii, problem, continued, blank };
    this.#offset += bytes.length;
    this.#line += lines;
    return row;
  }

  /** @returns null when the row's end has not come yet. */
  #row(from: number, last: boolean): Row | null {
    const held = this.#held;
    const width = this.#width;
    const stop = held.length - (held.length % width);
    const telling = this.#telling;
    const quote = this.#isNoRow(from) ? -1 : this.#quote;
    const fields: number[] = new Array(this.#numbers);
    /** Numbers written into them. */
    let numbers = 0;
    let state: State = "start";
    let start = from;
    let end = from;
    let escaped = 0;
    let high = 0;
    let problem: RowProblem | null = null;
    let quotedFrom = 0;
    /** There may be line ends inside of quotes: else a row is one line. */
    let broken = false;
    let at = from;
    for (; at < stop; at += width) {
      const plainFrom = at;
      // Most bytes are only themselves.
      if (width === 1) while (at < stop && telling[held[at] as number] === 0) high |= held[at++] as number;
      if (at > plainFrom) {
        if (state === "closed") problem ??= { code: "CSV_QUOTE", field: numbers / fieldNumbers + 1 };
        if (state !== "quoted") state = "plain";
        if (at >= stop) break;
      }
      const unit = width === 1 ? (held[at] as number) : held.readUInt16LE(at);
      high |= unit;
      if (unit === 0) problem ??= { code: "CSV_NUL", field: numbers / fieldNumbers + 1 };
      if (state === "quoted") {
        if (unit === BACKSLASH && this.#backslash) {
          escaped = 1;
          broken = true;
          if (at + width >= stop) continue;
          at += width;
          if ((width === 1 ? held[at] : held.readUInt16LE(at)) === 0) {
            problem ??= { code: "CSV_NUL", field: numbers / fieldNumbers + 1 };
          }
        } else if (unit === quote) {
          state = "closed";
          end = at;
        } else if (unit === LF || unit === CR) broken = true;
        continue;
      }
      if (unit === this.#delimiter) {
        fields[numbers] = start - from;
        fields[numbers + 1] = (state === "closed" ? end : at) - from;
        fields[numbers + 2] = escaped;
        numbers += fieldNumbers;
        state = "start";
        start = at + width;
        escaped = 0;
        continue;
      }
      if (unit === LF || unit === CR) {
        let after = at + width;
        if (unit === CR) {
          // Whether a line feed belongs to it can't be said yet.
          if (after >= stop && !last) return this.#tooLong(from, "CSV_ROW_TOO_LONG", 1);
          if (after < stop && (width === 1 ? held[after] : held.readUInt16LE(after)) === LF) after += width;
        }
        fields[numbers] = start - from;
        fields[numbers + 1] = (state === "closed" ? end : at) - from;
        fields[numbers + 2] = escaped;
        fields.length = numbers + fieldNumbers;
        this.#numbers = fields.length;
        const bytes = held.subarray(from, after);
        return this.#made(bytes, at - from, fields, high < 128, problem, broken ? undefined : 1);
      }
      if (unit === quote) {
        if (state === "start") {
          state = "quoted";
          quotedFrom = numbers / fieldNumbers + 1;
          start = at + width;
        } else if (state === "closed" && !this.#backslash) {
          state = "quoted";
          escaped = 1;
        } else {
          problem ??= { code: "CSV_QUOTE", field: numbers / fieldNumbers + 1 };
          state = "plain";
        }
        continue;
      }
      if (state === "closed") problem ??= { code: "CSV_QUOTE", field: numbers / fieldNumbers + 1 };
      state = "plain";
    }
    if (!last && state === "quoted") return this.#tooLong(from, "CSV_QUOTE_UNCLOSED", quotedFrom);
    if (!last) return this.#tooLong(from, "CSV_ROW_TOO_LONG", numbers / fieldNumbers + 1);
    // Half a character.
    if (at < held.length) problem ??= { code: "CSV_QUOTE", field: numbers / fieldNumbers + 1 };
    if (state === "quoted") problem = { code: "CSV_QUOTE_UNCLOSED", field: quotedFrom };
    fields[numbers] = start - from;
    fields[numbers + 1] = (state === "closed" ? end : at) - from;
    fields[numbers + 2] = escaped;
    fields.length = numbers + fieldNumbers;
    const bytes = held.subarray(from);
    return this.#made(bytes, bytes.length, fields, high < 128, problem);
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
