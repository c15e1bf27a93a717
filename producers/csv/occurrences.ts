import { hash } from "node:crypto";

/** What became of a telling. */
export interface Occurrence {
  /** Ordinal among the different tellings of the subject in the file, from 1. */
  readonly ordinal: number;
  /** The same as the telling before it of the same subject. */
  readonly repeated: boolean;
}

/** Numbers of a place in the table: 64 bits of the subject, 64 of what it was told, the ordinal; zero means free. */
const stride = 5;

/**
 * Remembers what each subject of a file was last told, so that a row given twice is one, and two payments of one claim are
 * two. Some 50 bytes a subject: hashes of 64 bits in a table that grows, since a file may have millions.
 */
export class Occurrences {
  #table = new Uint32Array(1024 * stride);
  #used = 0;

  add(subject: string, content: Uint8Array): Occurrence {
    if (this.#used * 2 * stride >= this.#table.length) this.#grow();
    // As texts of one byte a character, which cost the garbage collector least.
    const name = hash("sha256", subject, "binary");
    const told = hash("sha256", content, "binary");
    const [low, high] = [numberAt(name, 0), numberAt(name, 4)];
    const table = this.#table;
    const at = placeOf(table, low, high);
    const known = table[at + 4] !== 0;
    if (!known) this.#used += 1;
    const repeated = known && table[at + 2] === numberAt(told, 0) && table[at + 3] === numberAt(told, 4);
    table[at] = low;
    table[at + 1] = high;
    table[at + 2] = numberAt(told, 0);
    table[at + 3] = numberAt(told, 4);
    if (!repeated) table[at + 4] = (table[at + 4] as number) + 1;
    return { ordinal: table[at + 4] as number, repeated };
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Uint32Array(before.length * 2);
    for (let from = 0; from < before.length; from += stride) {
      if (before[from + 4] === 0) continue;
      const at = placeOf(this.#table, before[from] as number, before[from + 1] as number);
      this.#table.set(before.subarray(from, from + stride), at);
    }
  }
}

/** Where a subject is, or the free place where it would be. */
function placeOf(table: Uint32Array, low: number, high: number): number {
  const mask = table.length / stride - 1;
  let place = low & mask;
  for (;;) {
    const at = place * stride;
    if (table[at + 4] === 0 || (table[at] === low && table[at + 1] === high)) return at;
    place = (place + 1) & mask;
  }
}

/** Four bytes of a digest as a number. */
function numberAt(digest: string, at: number): number {
  const bytes =
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24);
  return bytes >>> 0;
}
