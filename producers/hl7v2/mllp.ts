/** Start of a block (VT) and end of a block (FS), after HL7 Minimal Lower Layer Protocol, release 1. */
export const START_BLOCK = 0x0b;
export const END_BLOCK = 0x1c;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Most bytes of noise, or of the head of a block over the limit, that are kept in one piece. */
export const KEPT_BYTES = 65_536;

/** What a stream of bytes falls into. */
export type MllpPiece =
  /** The content of one complete block. */
  | { readonly kind: "block"; readonly bytes: Buffer }
  /** Bytes outside of blocks that are not line ends. */
  | { readonly kind: "noise"; readonly bytes: Buffer }
  /** A block that another block, or the end of the stream, cut off. */
  | { readonly kind: "unclosed"; readonly bytes: Buffer }
  /** A complete block over the limit: its head, and how long it was. */
  | { readonly kind: "oversized"; readonly bytes: Buffer; readonly size: number };

/**
 * Frames a byte stream by MLLP: bytes in, pieces out, in the order of the stream and the same however it is cut.
 *
 * A block ends at its FS: the CR that should follow is skipped, not waited for, since many senders leave it out. A VT
 * inside a block starts a new one. A block may be long, so its bytes are collected, not searched again.
 */
export class MllpFramer {
  readonly #limit: number;
  #inside = false;
  #chunks: Buffer[] = [];
  #kept = 0;
  #size = 0;

  /** @param limit most bytes of a block's content; a longer one comes out as `oversized`. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): MllpPiece[] {
    const pieces: MllpPiece[] = [];
    let at = 0;
    while (at < chunk.length)
      at = this.#inside ? this.#readInside(chunk, at, pieces) : this.#readOutside(chunk, at, pieces);
    return pieces;
  }

  /** Tells what the end of the stream leaves over. */
  end(): MllpPiece[] {
    const pieces: MllpPiece[] = [];
    if (this.#inside) this.#closeInside("unclosed", pieces);
    else this.#closeOutside(pieces);
    this.#inside = false;
    return pieces;
  }

  /** Whether a block is open: the sender owes its rest. */
  get open(): boolean {
    return this.#inside;
  }

  /** Bytes kept of a block that is still coming. */
  get kept(): number {
    return this.#kept;
  }

  #readOutside(chunk: Buffer, from: number, pieces: MllpPiece[]): number {
    const start = chunk.indexOf(START_BLOCK, from);
    let at = from;
    const end = start < 0 ? chunk.length : start;
    while (at < end) {
      const part = chunk.subarray(at, Math.min(end, at + KEPT_BYTES - this.#size));
      this.#keep(part);
      at += part.length;
      if (this.#size >= KEPT_BYTES) this.#closeOutside(pieces);
    }
    if (start < 0) return end;
    this.#closeOutside(pieces);
    this.#inside = true;
    return start + 1;
  }

  #readInside(chunk: Buffer, from: number, pieces: MllpPiece[]): number {
    // One pass for both marks: searching for each alone would be quadratic in a chunk full of the other.
    let at = from;
    while (at < chunk.length && chunk[at] !== END_BLOCK && chunk[at] !== START_BLOCK) at++;
    this.#keep(chunk.subarray(from, at));
    if (at === chunk.length) return at;
    if (chunk[at] === START_BLOCK) this.#closeInside("unclosed", pieces);
    else {
      this.#closeInside("block", pieces);
      this.#inside = false;
    }
    return at + 1;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#inside && this.#size > this.#limit) {
      if (this.#kept > KEPT_BYTES) {
        this.#chunks = [Buffer.from(Buffer.concat(this.#chunks).subarray(0, KEPT_BYTES))];
        this.#kept = KEPT_BYTES;
      }
      const room = KEPT_BYTES - this.#kept;
      if (room > 0) {
        this.#chunks.push(part.subarray(0, room));
        this.#kept += Math.min(room, part.length);
      }
      return;
    }
    this.#chunks.push(part);
    this.#kept += part.length;
  }

  #take(): { bytes: Buffer; size: number } {
    const only = this.#chunks[0];
    const taken = { bytes: this.#chunks.length === 1 && only ? only : Buffer.concat(this.#chunks), size: this.#size };
    this.#chunks = [];
    this.#kept = 0;
    this.#size = 0;
    return taken;
  }

  #closeInside(kind: "block" | "unclosed", pieces: MllpPiece[]): void {
    const { bytes, size } = this.#take();
    if (kind === "block" && size > this.#limit) pieces.push({ kind: "oversized", bytes, size });
    else pieces.push({ kind, bytes });
  }

  #closeOutside(pieces: MllpPiece[]): void {
    if (this.#size === 0) return;
    const { bytes } = this.#take();
    if (bytes.some((byte) => byte !== CARRIAGE_RETURN && byte !== LINE_FEED)) pieces.push({ kind: "noise", bytes });
  }
}

/** Puts a message into a block. */
export function frame(content: Uint8Array): Buffer {
  const block = Buffer.allocUnsafe(content.length + 3);
  block[0] = START_BLOCK;
  block.set(content, 1);
  block[content.length + 1] = END_BLOCK;
  block[content.length + 2] = CARRIAGE_RETURN;
  return block;
}
