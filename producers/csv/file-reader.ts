import { byteOrderMark, textsOf } from "./charset.js";
import { type FileProblem, type Layout, layoutOf } from "./layout.js";
import type { Profile } from "./profile.js";
import { fieldNumbers, isBlank, type Row, RowReader } from "./row-reader.js";

/** What a piece of a file is; only rows are units. */
export type PieceKind = "row" | "mark" | "preamble" | "comment" | "blank" | "header" | "trailer" | "remainder";

/** A piece of a file. Every byte is in exactly one. */
export interface Piece {
  readonly kind: PieceKind;
  readonly bytes: Buffer;
  readonly offset: number;
  readonly line: number;
  /** Of rows and trailers. */
  readonly row: Row | null;
}

/** Bytes of the longest byte order mark. */
const longestMark = 3;

/** Tells the pieces of a file apart: what stands before the header, the header, rows, the trailer. */
export class FileReader {
  /** Known after the header; without a header from the first row on. */
  layout: Layout | null = null;
  problem: FileProblem | null = null;
  readonly #profile: Profile;
  readonly #rows: RowReader;
  readonly #comment: Buffer;
  #start: Buffer | null = Buffer.alloc(0);
  #mark = 0;
  #markPiece: Piece | null = null;
  #finished = false;
  #skip: number;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#rows = new RowReader(profile.writing);
    this.#comment = Buffer.from(profile.writing.comment, profile.writing.charset === "utf-16le" ? "utf16le" : "latin1");
    this.#skip = profile.writing.skipLines;
  }

  /** Takes the next bytes; {@link next} then gives the pieces that are complete with them. */
  feed(chunk: Buffer): void {
    if (this.#start === null) this.#rows.feed(chunk);
    else {
      this.#start = Buffer.concat([this.#start, chunk]);
      if (this.#start.length >= longestMark) this.#begin(this.#start);
    }
  }

  /** No more bytes come: {@link next} gives what is left too. */
  finish(): void {
    if (this.#start !== null) this.#begin(this.#start);
    this.#rows.finish();
    this.#finished = true;
  }

  /** The next piece; null when it is not there yet, or none is left. */
  next(): Piece | null {
    const mark = this.#markPiece;
    if (mark) {
      this.#markPiece = null;
      return mark;
    }
    const row = this.#start === null ? this.#rows.next() : null;
    if (row) {
      return { kind: this.#kindOf(row), bytes: row.bytes, offset: row.offset + this.#mark, line: row.line, row };
    }
    if (this.#finished && !this.layout && !this.problem && this.#profile.writing.header) {
      this.problem = { code: "CSV_EMPTY", location: "line 1" };
    }
    return null;
  }

  #begin(start: Buffer): void {
    this.#start = null;
    const mark = byteOrderMark(start);
    const { charset } = this.#profile.writing;
    if (mark) {
      const agreed = mark.charset === charset || (mark.charset === "utf-8" && charset === "ascii");
      if (!agreed) this.problem = { code: "CSV_OTHER_CHARSET", location: "line 1" };
      this.#mark = mark.length;
      this.#markPiece = { kind: "mark", bytes: start.subarray(0, mark.length), offset: 0, line: 1, row: null };
    }
    this.#rows.feed(start.subarray(this.#mark));
  }

  #kindOf(row: Row): PieceKind {
    if (row.continued) return "remainder";
    if (this.problem) return isBlank(row) ? "blank" : "row";
    if (this.#skip > 0) {
      this.#skip -= 1;
      return "preamble";
    }
    if (isBlank(row)) return "blank";
    if (this.#comment.length > 0 && row.bytes.subarray(0, this.#comment.length).equals(this.#comment)) return "comment";
    if (!this.layout) return this.#first(row);
    return this.#isTrailer(row) ? "trailer" : "row";
  }

  /** The header, or the first row of a file without one. A header that can't be used is rejected like a row. */
  #first(row: Row): PieceKind {
    const { header, charset } = this.#profile.writing;
    if (!header) {
      const layout = layoutOf(this.#profile, null);
      if ("code" in layout) this.problem = layout;
      else this.layout = { ...layout, width: row.fields.length / fieldNumbers };
      return this.layout && this.#isTrailer(row) ? "trailer" : "row";
    }
    const names = row.problem ? 0 : textsOf(row, charset, this.#profile.writing);
    if (typeof names === "number") {
      this.problem = { code: "CSV_HEADER_UNREADABLE", location: `line ${row.line}` };
      return "row";
    }
    const layout = layoutOf(this.#profile, names);
    if ("code" in layout) {
      this.problem = layout;
      return "row";
    }
    this.layout = layout;
    return "header";
  }

  #isTrailer(row: Row): boolean {
    const { totals, writing } = this.#profile;
    const [start, end] = row.fields;
    if (!totals || end === undefined || row.problem) return false;
    const encoding = writing.charset === "utf-16le" ? "utf16le" : "latin1";
    return row.bytes.toString(encoding, start, end).trim() === totals.marker;
  }
}
