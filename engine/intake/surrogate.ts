import type { Surrogate } from "./connector.js";
import { type KeyedHash, uuidOf } from "./keyed-hash.js";

/**
 * Most bytes of an identifier's authority, type and value together. A table keyed by identifiers takes twice as many; a
 * connector refuses what is longer, naming the place.
 */
const longestIdentifier = 1_000;

/** Whether an identifier is longer than read models keyed by identifiers take. */
export const isOverlong = ({
  authority = "",
  type = "",
  value = "",
}: { readonly [Part in "authority" | "type" | "value"]?: string | undefined }): boolean =>
  Buffer.byteLength(authority) + Buffer.byteLength(type) + Buffer.byteLength(value) > longestIdentifier;

/** An id that was made, and of what. */
interface MadeId {
  readonly kind: string;
  readonly authority: string;
  readonly type: string;
  readonly value: string;
  readonly id: string;
}

/**
 * Makes surrogate ids: the first 128 bits of the keyed hash of (kind, authority, type, value), as a UUID. They need no
 * look-up, are the same over replays and processes, and tell nothing without the secret. The last ids are kept in memory,
 * each at the one place where it may be: the same patients and visits come again soon, and making one costs little more
 * than finding it in a map. Nothing is kept of what is asked for only once: it would be moved by the garbage collector.
 * @param places for ids kept, a power of two; default 256.
 */
export function surrogates(hash: KeyedHash, places = 256): Surrogate {
  const made: (MadeId | undefined)[] = new Array(places).fill(undefined);
  /** What was last asked for at each place, as a number. */
  const asked = new Uint32Array(places);
  return (kind, authority, type, value) => {
    const sum = sumOf(kind, value);
    const place = (sum ^ (sum >>> 10)) & (places - 1);
    const known = made[place];
    if (
      known !== undefined &&
      known.value === value &&
      known.kind === kind &&
      known.authority === authority &&
      known.type === type
    ) {
      return known.id;
    }
    const id = uuidOf(hash(kind, [authority, type, value]));
    if (asked[place] === sum) made[place] = { kind, authority, type, value, id };
    asked[place] = sum;
    return id;
  };
}

/** Values mostly differ in their last characters. */
function sumOf(kind: string, value: string): number {
  let sum = kind.length;
  for (let at = Math.max(0, value.length - 6); at < value.length; at++) sum = Math.imul(sum, 31) + value.charCodeAt(at);
  return sum >>> 0;
}
