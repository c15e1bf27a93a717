import { broken, hex, sha256 } from "./bytes.js";

/** The tree of RFC 6962, section 2.1, as a verifier needs it; the engine's own is written apart from it. */

export const leafOf = (entry: Uint8Array): Promise<Uint8Array> => sha256(Uint8Array.of(0), entry);
const pair = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right);

/** Root of the tree of that size in which the path puts the leaf (2.1.1). */
export async function rootOf(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Promise<Uint8Array> {
  if (!(index < size)) return broken("a proof is for a record that its tree doesn't have");
  let hash = leaf;
  let [at, last] = [index, size - 1];
  for (const sibling of path) {
    if (last === 0) return broken("a proof is too long");
    if (at % 2 === 1 || at === last) {
      hash = await pair(sibling, hash);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else hash = await pair(hash, sibling);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : broken("a proof is too short");
}

/** A tree as it was signed. */
interface Tree {
  readonly size: number;
  readonly root: Uint8Array;
}

/** Whether a path proves that the first tree is the beginning of the second (2.1.2). */
export async function isBeginning(first: Tree, second: Tree, path: readonly Uint8Array[]): Promise<boolean> {
  if (!(first.size > 0 && first.size <= second.size)) return false;
  if (first.size === second.size) return path.length === 0 && hex(first.root) === hex(second.root);
  let [at, last] = [first.size - 1, second.size - 1];
  while (at % 2 === 1) {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  // Where the first tree is one full subtree, its own root begins the path.
  const steps = at === 0 ? [first.root, ...path] : [...path];
  const begin = steps.shift();
  if (!begin) return false;
  let [old, whole] = [begin, begin];
  for (const sibling of steps) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      old = await pair(sibling, old);
      whole = await pair(sibling, whole);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else whole = await pair(whole, sibling);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hex(old) === hex(first.root) && hex(whole) === hex(second.root);
}
