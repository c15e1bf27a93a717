import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { SignedTreeHead } from "./checkpoint.js";
import { Frontier, type Subtree, subtreeName } from "./merkle.js";
import { type ChainPlace, chainStart } from "./record-chain.js";

/** Where a lane stands: what was written last, and the fence under which the next is written. */
export interface LaneStanding {
  readonly epoch: number;
  readonly nextOffset: number;
  /** Chain after the last record. */
  readonly head: Buffer;
  readonly frontier: Frontier;
  /** Size of the last tree that was signed; 0 for none. */
  readonly signedSize: number;
}

interface Row {
  readonly epoch: number;
  readonly owner: string;
  readonly journal: string;
}

async function standing(pool: Pool, { topic, partition }: ChainPlace): Promise<Row | undefined> {
  const { rows } = await pool.query<Row>(
    "SELECT epoch, owner, journal FROM engine.notary_lanes WHERE topic = $1 AND partition = $2",
    [topic, partition],
  );
  return rows[0];
}

/** Raises the epoch if it still is the one seen; it waits for a statement of the former owner that is under way. */
async function raise(pool: Pool, place: ChainPlace, owner: string, seen: number): Promise<LaneStanding | undefined> {
  const { topic, partition } = place;
  const { rows } = await pool.query<{
    epoch: number;
    next_offset: number;
    frontier: Buffer;
    signed_size: number;
  }>(
    `UPDATE engine.notary_lanes SET epoch = epoch + 1, owner = $3, updated_at = pg_catalog.now()
     WHERE topic = $1 AND partition = $2 AND epoch = $4
     RETURNING epoch, next_offset, frontier, signed_size`,
    [topic, partition, owner, seen],
  );
  const [row] = rows;
  if (!row) return undefined;
  const last = await chainHash(pool, place, row.next_offset - 1);
  return {
    epoch: row.epoch,
    nextOffset: row.next_offset,
    head: last,
    frontier: new Frontier(row.next_offset, row.frontier),
    signedSize: row.signed_size,
  };
}

/** The chain after the record at an offset; before the first record its start. @throws TRIB_AUDIT_CHAIN_BROKEN */
export async function chainHash(pool: Pool, place: ChainPlace, offset: number): Promise<Buffer> {
  if (offset < 0) return chainStart(place);
  const { topic, partition } = place;
  const { rows } = await pool.query<{ hash: Buffer }>(
    "SELECT hash FROM engine.notary_chain WHERE topic = $1 AND partition = $2 AND log_offset = $3",
    [topic, partition, offset],
  );
  const [row] = rows;
  if (!row) throw new TributaryError("TRIB_AUDIT_CHAIN_BROKEN", undefined, { topic, partition, offset });
  return row.hash;
}

/**
 * Takes a lane over, so that whoever had it can write no more.
 * @param owner of this opening alone.
 * @throws TRIB_AUDIT_JOURNAL_CHANGED when the chain is of another log.
 */
export async function takeOver(pool: Pool, place: ChainPlace, owner: string): Promise<LaneStanding> {
  const { topic, partition, journal } = place;
  for (;;) {
    const before = await standing(pool, place);
    if (before && before.journal !== journal) {
      throw new TributaryError("TRIB_AUDIT_JOURNAL_CHANGED", undefined, { topic, partition, journal });
    }
    const taken = before && (await raise(pool, place, owner, before.epoch));
    if (taken) return taken;
    if (before) continue;
    await pool.query(
      `INSERT INTO engine.notary_lanes (topic, partition, journal, owner) VALUES ($1, $2, $3, $4)
       ON CONFLICT (topic, partition) DO NOTHING`,
      [topic, partition, journal, owner],
    );
  }
}

/** Like {@link takeOver}, for an owner in doubt about its last statement. @returns undefined when another owner came. */
export async function takeAgain(pool: Pool, place: ChainPlace, owner: string): Promise<LaneStanding | undefined> {
  for (;;) {
    const before = await standing(pool, place);
    if (before?.owner !== owner) return undefined;
    const taken = await raise(pool, place, owner, before.epoch);
    if (taken) return taken;
  }
}

/** A full subtree and its hash. */
export interface FormedSubtree extends Subtree {
  readonly hash: Buffer;
}

/** Subtrees of 2^10 leaves and more are kept: one row a 512 records, and no proof reads more than 2 times 1,024 leaves. */
export const keptFromLevel = 10;

/** What a batch adds. */
export interface ChainStep {
  readonly epoch: number;
  readonly first: number;
  /** Chain after each record from `first` on. */
  readonly hashes: readonly Buffer[];
  readonly frontier: Frontier;
  /** Full subtrees of {@link keptFromLevel} and above that the batch completes. */
  readonly subtrees: readonly FormedSubtree[];
  /** Head of the tree with this batch, where it is due. */
  readonly signed?: SignedTreeHead & { readonly publicKey: Buffer };
}

/** Writes a batch's hashes, the checkpoint and a signed head, all or nothing. @returns false when the fence is lost. */
export async function writeStep(pool: Pool, { topic, partition }: ChainPlace, step: ChainStep): Promise<boolean> {
  const { epoch, first, hashes, frontier, subtrees, signed } = step;
  const { rows } = await pool.query<{ fences: number }>(write, [
    topic,
    partition,
    epoch,
    first,
    first + hashes.length,
    frontier.bytes(),
    // One value for all: an array would have to be written as text.
    Buffer.concat(hashes),
    hashes.length,
    signed?.size ?? null,
    signed?.root ?? null,
    signed?.signature ?? null,
    signed ? new Date(signed.signedAt) : null,
    signed?.publicKey ?? null,
    subtrees.map(({ level }) => level),
    subtrees.map(({ level, index }) => index * 2 ** level),
    Buffer.concat(subtrees.map(({ hash }) => hash)),
  ]);
  return rows[0]?.fences === 1;
}

const write = `
WITH fence AS (
  UPDATE engine.notary_lanes
  SET next_offset = $5, frontier = $6, signed_size = coalesce($9::bigint, signed_size), updated_at = pg_catalog.now()
  WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4
  RETURNING 1
), chained AS (
  INSERT INTO engine.notary_chain (topic, partition, log_offset, hash)
  SELECT $1, $2, $4::bigint + number, substring($7::bytea FROM number * 32 + 1 FOR 32)
  FROM generate_series(0, $8::integer - 1) AS number WHERE EXISTS (TABLE fence)
), formed AS (
  INSERT INTO engine.notary_subtrees (topic, partition, level, first_offset, hash)
  SELECT $1, $2, level, first_offset, substring($16::bytea FROM (number::integer - 1) * 32 + 1 FOR 32)
  FROM unnest($14::integer[], $15::bigint[]) WITH ORDINALITY AS formed (level, first_offset, number)
  WHERE EXISTS (TABLE fence)
), signed AS (
  INSERT INTO engine.notary_checkpoints (topic, partition, size, root, signature, signed_at, public_key)
  SELECT $1, $2, $9::bigint, $10::bytea, $11::bytea, $12::timestamptz, $13::bytea
  WHERE $9::bigint IS NOT NULL AND EXISTS (TABLE fence)
)
SELECT count(*) AS fences FROM fence`;

/** Whether any head was signed. */
export async function hasSigned(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ any: boolean }>("SELECT EXISTS (SELECT FROM engine.notary_checkpoints) AS any");
  return rows[0]?.any ?? false;
}

/** Signed heads of a partition, from a size on, smallest first. */
export async function signedHeads(
  pool: Pool,
  place: ChainPlace,
  from = 0,
): Promise<(SignedTreeHead & { readonly publicKey: Buffer })[]> {
  const { topic, partition } = place;
  const { rows } = await pool.query<{
    size: number;
    root: Buffer;
    signature: Buffer;
    signed_at: number;
    public_key: Buffer;
  }>(
    `SELECT size, root, signature, signed_at, public_key FROM engine.notary_checkpoints
     WHERE topic = $1 AND partition = $2 AND size >= $3 ORDER BY size`,
    [topic, partition, from],
  );
  return rows.map(({ size, root, signature, signed_at, public_key }) => ({
    ...place,
    size,
    root,
    signature,
    signedAt: signed_at,
    publicKey: public_key,
  }));
}

/** The chain after records at some offsets, those that have one. */
export async function chainHashesAt(
  pool: Pool,
  { topic, partition }: Pick<ChainPlace, "topic" | "partition">,
  offsets: readonly number[],
): Promise<ReadonlyMap<number, Buffer>> {
  const { rows } = await pool.query<{ log_offset: number; hash: Buffer }>(
    `SELECT log_offset, hash FROM engine.notary_chain
     WHERE topic = $1 AND partition = $2 AND log_offset = ANY ($3::bigint[])`,
    [topic, partition, [...new Set(offsets)]],
  );
  return new Map(rows.map(({ log_offset, hash }) => [log_offset, hash]));
}

/** Hashes of subtrees by their names, those that are kept: none of records chained by a version that kept none. */
export async function keptSubtrees(
  pool: Pool,
  { topic, partition }: Pick<ChainPlace, "topic" | "partition">,
  subtrees: readonly Subtree[],
): Promise<ReadonlyMap<string, Buffer>> {
  if (subtrees.length === 0) return new Map();
  const { rows } = await pool.query<{ level: number; first_offset: number; hash: Buffer }>(
    `SELECT level, first_offset, hash FROM engine.notary_subtrees
     JOIN unnest($3::integer[], $4::bigint[]) AS asked (level, first_offset) USING (level, first_offset)
     WHERE topic = $1 AND partition = $2`,
    [topic, partition, subtrees.map(({ level }) => level), subtrees.map(({ level, index }) => index * 2 ** level)],
  );
  return new Map(
    rows.map(({ level, first_offset, hash }) => [subtreeName({ level, index: first_offset / 2 ** level }), hash]),
  );
}

/** Hashes of the chain from an offset (inclusive) to another (exclusive), in pieces. */
export async function* chainHashes(
  pool: Pool,
  { topic, partition }: Pick<ChainPlace, "topic" | "partition">,
  from: number,
  to: number,
  piece = 20_000,
): AsyncIterable<{ readonly offset: number; readonly hash: Buffer }[]> {
  for (let at = from; at < to; at += piece) {
    const { rows } = await pool.query<{ log_offset: number; hash: Buffer }>(
      `SELECT log_offset, hash FROM engine.notary_chain
       WHERE topic = $1 AND partition = $2 AND log_offset >= $3 AND log_offset < $4 ORDER BY log_offset`,
      [topic, partition, at, Math.min(to, at + piece)],
    );
    yield rows.map(({ log_offset, hash }) => ({ offset: log_offset, hash }));
  }
}
