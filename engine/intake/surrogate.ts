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

/**
 * Makes surrogate ids: the first 128 bits of the keyed hash of (kind, authority, type, value), as a UUID. They need no
 * look-up, are the same over replays and processes, and tell nothing without the secret.
 * @param hotIds ids kept in memory, as the same patients and visits come again soon; default 10,000: making one costs little more than finding it.
 */
export function surrogates(hash: KeyedHash, hotIds = 10_000): Surrogate {
  // Two generations instead of a list by use: when the young one is full it becomes the old one.
  let young = new Map<string, string>();
  let old = new Map<string, string>();
  return (kind, authority, type, value) => {
    // With the lengths no two lists of parts make the same text.
    const name = `${kind} ${authority.length} ${type.length} ${authority}${type}${value}`;
    const hot = young.get(name);
    if (hot !== undefined) return hot;
    const id = old.get(name) ?? uuidOf(hash(kind, [authority, type, value]));
    young.set(name, id);
    if (young.size >= hotIds / 2) {
      old = young;
      young = new Map();
    }
    return id;
  };
}
