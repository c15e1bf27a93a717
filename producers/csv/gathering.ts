import type { Piece, PieceKind } from "./piece.js";

/** Rows of these kinds say nothing, so as many as stand one after another are one piece. */
const silent: ReadonlySet<PieceKind> = new Set(["blank", "comment"]);
/** Most bytes of such a piece: a file of nothing but line ends is a record of the log every so many. */
const mostBytes = 262_144;

/** Puts rows that say nothing together, since each piece of a file is a record of the log. */
export class Gathering {
  /** The first of them. */
  #first: Piece | null = null;
  /** Bytes of those before, whatever chunks they arrived in. */
  #parts: Buffer[] = [];
  /** Where the last of them lie: one after another in the same memory, so they need no part each. */
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #rows = 0;

  /** Takes a piece that says nothing and follows on those before. @returns false: it has to wait until these are released. */
  takes(piece: Piece): boolean {
    if (!silent.has(piece.kind)) return false;
    const { bytes } = piece;
    if (this.#first && (this.#first.kind !== piece.kind || this.#bytes + bytes.length > mostBytes)) return false;
    this.#first ??= piece;
    const tail = this.#tail;
    if (tail.buffer === bytes.buffer && tail.byteOffset + tail.length === bytes.byteOffset) {
      this.#tail = Buffer.from(tail.buffer, tail.byteOffset, tail.length + bytes.length);
    } else {
      if (tail.length > 0) this.#parts.push(tail);
      this.#tail = bytes;
    }
    this.#bytes += bytes.length;
    this.#rows += 1;
    return true;
  }

  /** What was gathered, as one piece; null: nothing. */
  release(): Piece | null {
    const first = this.#first;
    if (!first) return null;
    const bytes = this.#parts.length === 0 ? this.#tail : Buffer.concat([...this.#parts, this.#tail]);
    const { kind, offset, line } = first;
    const piece = { kind, bytes, offset, line, row: null, rows: this.#rows };
    this.#first = null;
    this.#parts = [];
    this.#tail = Buffer.alloc(0);
    this.#bytes = 0;
    this.#rows = 0;
    return piece;
  }
}
