import type { Pool } from "../store/pool.js";
import { consistencyRanges, inclusionRanges, leafHash, subtreeHashes } from "./merkle.js";
import { chainHashes } from "./notary-store.js";
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

/** Leaves of a partition's tree, and the chain itself where somebody looks. */
async function* leavesOf(
  pool: Pool,
  place: ChainPlace,
  size: number,
  look: (offset: number, hash: Buffer) => void = () => {},
): AsyncIterable<Buffer[]> {
  for await (const piece of chainHashes(pool, place, 0, size)) {
    for (const { offset, hash } of piece) look(offset, hash);
    yield piece.map(({ hash }) => leafHash(hash));
  }
}

/**
 * Proofs for records of one partition in one tree, by one pass over the chain however many they are.
 * @param size of a signed tree that has them all.
 * @throws RangeError when the chain has fewer records.
 */
export async function inclusionProofs(
  pool: Pool,
  place: ChainPlace,
  size: number,
  offsets: readonly number[],
): Promise<InclusionProof[]> {
  const wanted = new Set(offsets.map((offset) => offset - 1));
  const before = new Map([[-1, chainStart(place)]]);
  const paths = offsets.map((offset) => inclusionRanges(offset, size));
  const hashes = await subtreeHashes(
    paths.flat(),
    leavesOf(pool, place, size, (offset, hash) => {
      if (wanted.has(offset)) before.set(offset, hash);
    }),
  );
  let next = 0;
  return offsets.map((offset, index) => {
    const length = paths[index]?.length ?? 0;
    next += length;
    return { offset, size, before: before.get(offset - 1) as Buffer, path: hashes.slice(next - length, next) };
  });
}

/** That a tree is the beginning of a later one (RFC 6962, 2.1.2). @throws RangeError when the chain is shorter. */
export function consistencyProof(pool: Pool, place: ChainPlace, first: number, second: number): Promise<Buffer[]> {
  return subtreeHashes(consistencyRanges(first, second), leavesOf(pool, place, second));
}
