import type { Pool } from "../store/pool.js";
import {
  consistencyRanges,
  formedSubtrees,
  fullSubtrees,
  inclusionRanges,
  type LeafRange,
  leafHash,
  provesConsistency,
  provesInclusion,
  rangeHashes,
  type Subtree,
  subtreeName,
} from "./merkle.js";
import { chainHashes, chainHashesAt, keptFromLevel, keptSubtrees } from "./notary-store.js";
import { type ChainPlace, chainStart } from "./record-chain.js";

/** That a record is in the log: with the record itself it leads to the root of a signed tree. */
export interface InclusionProof {
  readonly offset: number;
  /** Records in the tree. */
  readonly size: number;
  /** Chain before the record: with the record it makes the leaf. */
  readonly before: Buffer;
  /** Subtrees from the leaf up (RFC 6962, 2.1.1). */
  readonly path: readonly Buffer[];
}

/** A tree, as it was signed. */
export interface SignedTree {
  readonly size: number;
  readonly root: Buffer;
}

/** Leaves of a stretch. @throws RangeError when the chain has not all of them. */
async function* leavesOf(pool: Pool, place: ChainPlace, { from, to }: LeafRange): AsyncGenerator<Buffer[]> {
  let count = 0;
  for await (const piece of chainHashes(pool, place, from, to)) {
    count += piece.length;
    yield piece.map(({ hash }) => leafHash(hash));
  }
  if (count < to - from) throw new RangeError(`${count} of ${to - from} hashes from ${from} on`);
}

/** The largest of some subtrees, none within another: by a pass over the leaves of these all others are found. */
function outermost(subtrees: readonly Subtree[]): Subtree[] {
  const found = new Map<string, Subtree>();
  const levels = new Set<number>();
  for (const subtree of [...subtrees].sort((left, right) => right.level - left.level)) {
    const { level, index } = subtree;
    const isWithin = [...levels].some((above) =>
      found.has(subtreeName({ level: above, index: Math.floor(index / 2 ** (above - level)) })),
    );
    if (isWithin) continue;
    found.set(subtreeName(subtree), subtree);
    levels.add(level);
  }
  return [...found.values()];
}

/**
 * Hashes of subtrees of a partition's tree: those kept, and for what is below them, or was chained before any were kept, a
 * pass over the leaves.
 * @param to leaves that the ranges reach.
 * @param trusts false reads leaves alone.
 */
async function hashesOf(
  pool: Pool,
  place: ChainPlace,
  to: number,
  ranges: readonly LeafRange[],
  trusts: boolean,
): Promise<Buffer[]> {
  const wanted = new Map(ranges.flatMap(fullSubtrees).map((subtree) => [subtreeName(subtree), subtree]));
  const kept = trusts ? [...wanted.values()].filter(({ level }) => level >= keptFromLevel) : [];
  const found = new Map(await keptSubtrees(pool, place, kept));
  const missing = [...wanted].flatMap(([name, subtree]) => (found.has(name) ? [] : [subtree]));
  const blocks = missing.map(({ level, index }) =>
    level >= keptFromLevel
      ? { level, index }
      : { level: keptFromLevel, index: Math.floor(index / 2 ** (keptFromLevel - level)) },
  );
  const names = new Set(missing.map(subtreeName));
  for (const { level, index } of outermost(blocks)) {
    const from = index * 2 ** level;
    const leaves = leavesOf(pool, place, { from, to: Math.min(to, from + 2 ** level) });
    for (const [name, hash] of await formedSubtrees(names, from, leaves)) found.set(name, hash);
  }
  return rangeHashes(ranges, found);
}

/** A subtree that somebody changed is not believed where the chain itself says what was signed. */
async function believed<Made>(make: (trusts: boolean) => Promise<Made>, holds: (made: Made) => boolean): Promise<Made> {
  const made = await make(true);
  return holds(made) ? made : make(false);
}

/**
 * Proofs for records of one partition in one tree. For one record it reads as many hashes as the tree is high, and the two
 * stretches of 1,024 leaves in which the record is and the tree ends.
 * @throws RangeError when the chain has fewer records.
 */
export async function inclusionProofs(
  pool: Pool,
  place: ChainPlace,
  tree: SignedTree,
  offsets: readonly number[],
): Promise<InclusionProof[]> {
  const { size } = tree;
  const ranges = offsets.map((offset) => inclusionRanges(offset, size));
  const around = await chainHashesAt(pool, place, [...offsets, ...offsets.map((offset) => offset - 1)]);
  const make = async (trusts: boolean) => {
    const hashes = await hashesOf(pool, place, size, ranges.flat(), trusts);
    let next = 0;
    return offsets.map((offset, index): InclusionProof => {
      const length = ranges[index]?.length ?? 0;
      next += length;
      const before = offset === 0 ? chainStart(place) : around.get(offset - 1);
      if (!before) throw new RangeError(`no hash of record ${offset - 1}`);
      return { offset, size, before, path: hashes.slice(next - length, next) };
    });
  };
  return believed(make, (proofs) =>
    proofs.every(({ offset, path }) => {
      const hash = around.get(offset);
      return hash !== undefined && provesInclusion(leafHash(hash), offset, tree, path);
    }),
  );
}

/** That a tree is the beginning of a later one (RFC 6962, 2.1.2). @throws RangeError when the chain is shorter. */
export function consistencyProof(
  pool: Pool,
  place: ChainPlace,
  first: SignedTree,
  second: SignedTree,
): Promise<Buffer[]> {
  const ranges = consistencyRanges(first.size, second.size);
  return believed(
    (trusts) => hashesOf(pool, place, second.size, ranges, trusts),
    (path) => provesConsistency(first, second, path),
  );
}
