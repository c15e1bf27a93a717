import type { Surrogate } from "./connector.js";
import { type KeyedHash, uuidOf } from "./keyed-hash.js";

/** Ids of values, by kind, authority and type. */
type Ids = Map<string, Map<string, Map<string, Map<string, string>>>>;

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
 * @param hotIds ids kept in memory, as the same patients and visits come again soon; default 1,000: making one costs
 *   little more than finding it, and what is kept for long the garbage collector has to move.
 */
export function surrogates(hash: KeyedHash, hotIds = 1_000): Surrogate {
  // Two generations instead of a list by use: when the young one is full it becomes the old one.
  let young: Ids = new Map();
  let old: Ids = new Map();
  let size = 0;
  return (kind, authority, type, value) => {
    const values = valuesOf(young, kind, authority, type);
    const hot = values.get(value);
    if (hot !== undefined) return hot;
    const id = old.get(kind)?.get(authority)?.get(type)?.get(value) ?? uuidOf(hash(kind, [authority, type, value]));
    values.set(value, id);
    size += 1;
    if (size >= hotIds / 2) {
      old = young;
      young = new Map();
      size = 0;
    }
    return id;
  };
}

/** Maps in maps: a text put together of all parts for each question costs more than the four of them. */
function valuesOf(ids: Ids, kind: string, authority: string, type: string): Map<string, string> {
  const authorities = within(ids, kind);
  const types = within(authorities, authority);
  return within(types, type);
}

function within<Inner extends Map<string, unknown>>(outer: Map<string, Inner>, name: string): Inner {
  let inner = outer.get(name);
  if (!inner) {
    inner = new Map() as unknown as Inner;
    outer.set(name, inner);
  }
  return inner;
}
