/** A slab is garbage when all that was cut from it is. */
const slabBytes = 128 * 1024;
/** What is larger gets bytes of its own. */
const largestCut = 16 * 1024;

let slab: Buffer = Buffer.alloc(0);
let used = 0;

/**
 * Bytes for something that lives about as long as what is made beside it, like the records of a batch. Node's own pool has
 * 8 kB: at some ten thousand records a second making and collecting it is a tenth of the work.
 */
export function cutBytes(length: number): Buffer {
  if (length > largestCut) return Buffer.allocUnsafeSlow(length);
  if (used + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const cut = slab.subarray(used, used + length);
  used += length;
  return cut;
}

/**
 * A slab with at least some bytes left, for what is written before its length is known: from {@link freeFrom} on, and then
 * taken by {@link cutTo}. Nothing else may be cut meanwhile.
 */
export function slabWithRoom(least: number): Buffer {
  if (used + least > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  return slab;
}

/** Where the free part of the slab begins. */
export const freeFrom = (): number => used;

/** What was written into the free part of the slab. @param end where it ends in the slab. */
export function cutTo(end: number): Buffer {
  const cut = slab.subarray(used, end);
  used = end;
  return cut;
}

/** Beginnings of the same bytes, each made once: an object for bytes costs as much as a short hash of them. */
export class Views {
  readonly #bytes: Buffer;
  readonly #made: (Buffer | undefined)[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  of(length: number): Buffer {
    if (length > longestView) return this.#bytes.subarray(0, length);
    let view = this.#made[length];
    if (!view) {
      while (this.#made.length <= length) this.#made.push(undefined);
      view = this.#bytes.subarray(0, length);
      this.#made[length] = view;
    }
    return view;
  }
}

const longestView = 1_024;
