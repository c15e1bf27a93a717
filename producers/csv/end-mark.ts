import type { Charset } from "./charset.js";

/** Ctrl-Z: DOS and what learned from it end a text with it. */
const CTRL_Z = 0x1a;
/** Most bytes that can be such an end: padding to a block, at the utmost. */
const longest = 1_024;

/** Tells a file's last Ctrl-Z, or several, from its last row, however the bytes arrive. */
export class EndMark {
  readonly #wide: boolean;
  /** Bytes that may be the end. */
  #held: Buffer = Buffer.alloc(0);
  /** Bytes let through. */
  #passed = 0;

  constructor(charset: Charset) {
    this.#wide = charset === "utf-16le";
  }

  /** Takes the next bytes. @returns what stands before a possible end, with what was no end after all. */
  before(chunk: Buffer): Buffer {
    if (chunk.length === 0 || (this.#held.length === 0 && !this.#mayEnd(chunk[chunk.length - 1]))) {
      this.#passed += chunk.length;
      return chunk;
    }
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let end = bytes.length;
    while (end > 0 && this.#mayEnd(bytes[end - 1])) end -= 1;
    if (bytes.length - end > longest) end = bytes.length;
    this.#held = bytes.subarray(end);
    this.#passed += end;
    return bytes.subarray(0, end);
  }

  /** No more bytes come. @returns what is left of the last row, and the end; empty where there is none. */
  split(): { readonly row: Buffer; readonly mark: Buffer } {
    const held = this.#held;
    let at = held.length;
    if (!this.#wide) at = 0;
    // Half a character at the end is no mark, and neither is what stands before it.
    else if ((this.#passed + held.length) % 2 === 0) while (at >= 2 && held.readUInt16LE(at - 2) === CTRL_Z) at -= 2;
    return { row: held.subarray(0, at), mark: held.subarray(at) };
  }

  #mayEnd(byte: number | undefined): boolean {
    return byte === CTRL_Z || (this.#wide && byte === 0);
  }
}
