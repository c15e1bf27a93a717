import { byteOrderMark } from "./charset.js";
import { EndMark } from "./end-mark.js";
import { Gathering } from "./gathering.js";
import { type FileProblem, type Layout, layoutOf } from "./layout.js";
import type { Piece, PieceKind } from "./piece.js";
import type { Profile } from "./profile.js";
import { fieldNumbers, type Row, RowReader } from "./row-reader.js";
import { textsOf } from "./row-texts.js";

/** Bytes of the longest byte order mark. */
const longestMark = 3;
/** First line by which a spreadsheet is told the delimiter. */
const separator = /^("?)sep=([\s\S])\1$/i;

/** Tells the pieces of a file apart: what stands before the header, the header, rows, the trailer, what ends it. */
export class FileReader {
  /** Known after the header; without a header from the first row on. */
  layout: Layout | null = null;
  problem: FileProblem | null = null;
  readonly #profile: Profile;
  readonly #rows: RowReader;
  readonly #comment: Buffer;
  readonly #encoding: "utf16le" | "latin1";
  readonly #end: EndMark;
  #start: Buffer | null = Buffer.alloc(0);
  #mark = 0;
  #markPiece: Piece | null = null;
  #finished = false;
  #skip: number;
  #isFirst = true;
  #endPiece: Buffer | null = null;
  #isMarked = false;
  readonly #gathering = new Gathering();
  /** A piece that comes after what is gathered. */
  #waiting: Piece | null = null;
  #offset = 0;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#rows = new RowReader(profile.writing);
    this.#encoding = profile.writing.charset === "utf-16le" ? "utf16le" : "latin1";
    this.#end = new EndMark(profile.writing.charset);
    this.#comment = Buffer.from(profile.writing.comment, this.#encoding);
    this.#skip = profile.writing.skipLines;
  }

  /** Takes the next bytes; {@link next} then gives the pieces that are complete with them. */
  feed(chunk: Buffer): void {
    if (this.#start === null) this.#rows.feed(this.#end.before(chunk));
    else {
      this.#start = Buffer.concat([this.#start, chunk]);
      if (this.#start.length >= longestMark) this.#begin(this.#start);
    }
  }

  /** No more bytes come: {@link next} gives what is left too. */
  finish(): void {
    if (this.#start !== null) this.#begin(this.#start);
    const { row, mark } = this.#end.split();
    this.#rows.feed(row);
    if (mark.length > 0) [this.#endPiece, this.#isMarked] = [mark, true];
    this.#rows.finish();
    this.#finished = true;
  }

  /** Whether a row has no line end, and so is the last: some programs write none, and a file cut off has none either. */
  isUnended({ length, bytes, problem }: Row): boolean {
    return length === bytes.length && problem === null && !this.#isMarked;
  }

  /** The next piece; null when it is not there yet, or none is left. */
  next(): Piece | null {
    for (;;) {
      const piece = this.#waiting ?? this.#next();
      this.#waiting = null;
      if (piece && this.#gathering.takes(piece)) continue;
      // Those that are gathered may go on with the next bytes.
      const gathered = piece || this.#finished ? this.#gathering.release() : null;
      if (!gathered) return piece;
      this.#waiting = piece;
      return gathered;
    }
  }

  #next(): Piece | null {
    const mark = this.#markPiece;
    if (mark) {
      this.#markPiece = null;
      return mark;
    }
    const row = this.#start === null ? this.#rows.next() : null;
    if (row) {
      const kind = this.#kindOf(row);
      this.#isFirst = false;
      this.#offset = row.offset + this.#mark + row.bytes.length;
      return { kind, bytes: row.bytes, offset: row.offset + this.#mark, line: row.line, row, rows: 1 };
    }
    const end = this.#endPiece;
    if (end) {
      this.#endPiece = null;
      return { kind: "end", bytes: end, offset: this.#offset, line: this.#rows.line, row: null, rows: 0 };
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
      this.#offset = mark.length;
      this.#markPiece = { kind: "mark", bytes: start.subarray(0, mark.length), offset: 0, line: 1, row: null, rows: 0 };
    }
    this.#rows.feed(this.#end.before(start.subarray(this.#mark)));
  }

  #kindOf(row: Row): PieceKind {
    if (row.continued) return "remainder";
    if (this.problem) return row.blank ? "blank" : "row";
    if (this.#skip > 0) {
      this.#skip -= 1;
      return "preamble";
    }
    if (row.blank) return "blank";
    if (this.#isFirst && this.#isSeparator(row)) return "separator";
    // What could not be read to its end is no comment: what follows would be lost without a word.
    const isWhole = row.problem === null || row.length < row.bytes.length;
    if (isWhole && this.#comment.length > 0 && row.bytes.subarray(0, this.#comment.length).equals(this.#comment))
      return "comment";
    if (!this.layout) return this.#first(row);
    return this.#isTrailer(row) ? "trailer" : "row";
  }

  /** Whether a line tells the delimiter to a spreadsheet. One that tells another than was agreed is no file of the partner's. */
  #isSeparator({ bytes, length }: Row): boolean {
    if (length > 16) return false;
    const told = separator.exec(bytes.toString(this.#encoding, 0, length))?.[2];
    if (told === undefined) return false;
    if (told !== this.#profile.writing.delimiter) this.problem = { code: "CSV_OTHER_DELIMITER", location: "line 1" };
    return true;
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
    const { totals } = this.#profile;
    const [start, end] = row.fields;
    if (!totals || end === undefined || row.problem) return false;
    return row.bytes.toString(this.#encoding, start, end).trim() === totals.marker;
  }
}
