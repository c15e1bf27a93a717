import { hash } from "node:crypto";

/**
 * The Merkle tree of RFC 6962, section 2.1: SHA-256, a zero byte in front of a leaf, a one in front of a pair, and the
 * left half of a tree is the largest full one that leaves something for the right. Hashes are 32 bytes.
 */
const leafPrefix = Buffer.from([0]);
const pairPrefix = Buffer.from([1]);

const sha256 = (...parts: readonly Uint8Array[]): Buffer => hash("sha256", Buffer.concat(parts), "buffer");

/** Root of a tree without leaves. */
export const emptyRoot: Buffer = sha256();
export const leafHash = (entry: Uint8Array): Buffer => sha256(leafPrefix, entry);
export const pairHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(pairPrefix, left, right);

/** Leaves from `from` (inclusive) to `to` (exclusive). */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/** Largest power of two below `size`, which is at least 2. */
function splitOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** A full subtree: 2^level leaves, the `index`th of its level. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Names a full subtree. */
export const subtreeName = ({ level, index }: Subtree): string => `${level}/${index}`;

/** A range that is a subtree of some tree, as the full subtrees that it is made of, left to right. */
export function fullSubtrees({ from, to }: LeafRange): Subtree[] {
  const found: Subtree[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level += 1;
    found.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return found;
}

/** Joins full subtrees as the tree does: from the right, since each is larger than all that follow it. */
function join(hashes: readonly Buffer[]): Buffer {
  const last = hashes.at(-1);
  return last ? hashes.slice(0, -1).reduceRight((right, left) => pairHash(left, right), last) : emptyRoot;
}

/** A tree that grows: all that must be remembered to go on, at most one hash a level. */
export class Frontier {
  #size: number;
  /** Full subtrees, left to right. */
  readonly #hashes: Buffer[];

  /** @param bytes as `bytes()` gave them; by default an empty tree. */
  constructor(size = 0, bytes: Buffer = Buffer.alloc(0)) {
    this.#size = size;
    this.#hashes = [];
    for (let at = 0; at < bytes.length; at += 32) this.#hashes.push(Buffer.from(bytes.subarray(at, at + 32)));
    if (this.#hashes.length !== fullSubtrees({ from: 0, to: size }).length) {
      throw new RangeError("hashes that don't make a tree of this size");
    }
  }

  get size(): number {
    return this.#size;
  }

  /**
   * @param leaf hash of the next leaf.
   * @param formed told each full subtree that the leaf completes, itself first.
   */
  append(leaf: Buffer, formed: (level: number, index: number, hash: Buffer) => void = () => {}): void {
    let hash = leaf;
    let level = 0;
    let index = this.#size;
    formed(level, index, hash);
    while (index % 2 === 1) {
      hash = pairHash(this.#hashes.pop() as Buffer, hash);
      level += 1;
      index = (index - 1) / 2;
      formed(level, index, hash);
    }
    this.#hashes.push(hash);
    this.#size += 1;
  }

  root(): Buffer {
    return join(this.#hashes);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#hashes);
  }
}

/** Which subtrees prove that a leaf is in a tree, from the leaf up (RFC 6962, 2.1.1). */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const path: LeafRange[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.unshift({ from: middle, to });
      to = middle;
    } else {
      path.unshift({ from, to: middle });
      from = middle;
    }
  }
  return path;
}

/** Which subtrees prove that a tree of `first` leaves is the beginning of one of `second` (RFC 6962, 2.1.2). */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (first === 0 || first === second) return [];
  const path: LeafRange[] = [];
  let [from, to] = [0, second];
  for (;;) {
    if (first === to) {
      // The old tree itself is known to who asks; a part of it is not.
      if (from > 0) path.unshift({ from, to });
      return path;
    }
    const middle = from + splitOf(to - from);
    if (first <= middle) {
      path.unshift({ from: middle, to });
      to = middle;
    } else {
      path.unshift({ from, to: middle });
      from = middle;
    }
  }
}

/** Hashes of leaves in order, in pieces of any size. */
export type Leaves = AsyncIterable<readonly Buffer[]> | Iterable<readonly Buffer[]>;

/**
 * Hashes of full subtrees within a stretch of leaves, in one pass however many are asked for.
 * @param wanted names of subtrees; those that reach beyond the stretch are not found.
 * @param from index of the first leaf of the stretch.
 */
export async function formedSubtrees(
  wanted: ReadonlySet<string>,
  from: number,
  leaves: Leaves,
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const frontier = new Frontier();
  for await (const piece of leaves) {
    for (const leaf of piece) {
      frontier.append(leaf, (level, index, formed) => {
        // One that begins before the stretch is no subtree of the tree.
        if (from % 2 ** level !== 0) return;
        const name = subtreeName({ level, index: from / 2 ** level + index });
        if (wanted.has(name)) found.set(name, formed);
      });
    }
  }
  return found;
}

/** Hashes of subtrees of some tree, by those of the full ones. @throws RangeError when one is missing. */
export const rangeHashes = (ranges: readonly LeafRange[], found: ReadonlyMap<string, Buffer>): Buffer[] =>
  ranges.map((range) =>
    join(
      fullSubtrees(range).map((subtree) => {
        const hash = found.get(subtreeName(subtree));
        if (!hash) throw new RangeError(`fewer leaves than ${range.to}, which were needed`);
        return hash;
      }),
    ),
  );

/** Hashes of subtrees by all leaves from the first on, as far as the ranges reach. @throws RangeError when these are fewer. */
export async function subtreeHashes(ranges: readonly LeafRange[], leaves: Leaves): Promise<Buffer[]> {
  const wanted = new Set(ranges.flatMap(fullSubtrees).map(subtreeName));
  return rangeHashes(ranges, await formedSubtrees(wanted, 0, leaves));
}

/** @param leaf hash of the leaf. @returns the root of the tree of that size in which the path puts the leaf; undefined when it fits none. */
export function rootOfInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  path: readonly Buffer[],
): Buffer | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  const ranges = inclusionRanges(index, size);
  if (ranges.length !== path.length) return undefined;
  return path.reduce<Buffer>(
    (hash, sibling, step) =>
      (ranges[step] as LeafRange).from > index ? pairHash(hash, sibling) : pairHash(sibling, hash),
    leaf,
  );
}

/** Whether a path proves that a leaf is in the tree of that size and root. */
export function provesInclusion(
  leaf: Buffer,
  index: number,
  tree: { readonly size: number; readonly root: Buffer },
  path: readonly Buffer[],
): boolean {
  return rootOfInclusion(leaf, index, tree.size, path)?.equals(tree.root) ?? false;
}

/** Whether a path proves that the first tree is the beginning of the second. */
export function provesConsistency(
  first: { readonly size: number; readonly root: Buffer },
  second: { readonly size: number; readonly root: Buffer },
  path: readonly Buffer[],
): boolean {
  if (first.size > second.size || first.size < 0) return false;
  if (first.size === 0) return path.length === 0 && first.root.equals(emptyRoot);
  if (first.size === second.size) return path.length === 0 && first.root.equals(second.root);
  const ranges = consistencyRanges(first.size, second.size);
  if (ranges.length !== path.length) return false;
  // The path joins to both roots. Where the first tree is a full subtree, its root stands in for the path's beginning.
  const startsWhole = (ranges[0] as LeafRange).from >= first.size;
  let old = startsWhole ? first.root : (path[0] as Buffer);
  let whole = old;
  for (let step = startsWhole ? 0 : 1; step < path.length; step += 1) {
    const sibling = path[step] as Buffer;
    if ((ranges[step] as LeafRange).from >= first.size) whole = pairHash(whole, sibling);
    else {
      old = pairHash(sibling, old);
      whole = pairHash(sibling, whole);
    }
  }
  return old.equals(first.root) && whole.equals(second.root);
}
