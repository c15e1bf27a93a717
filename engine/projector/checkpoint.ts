import type { Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { consumerRole } from "./names.js";
import type { ParkReason } from "./park-reason.js";
import { Positions } from "./positions.js";
import { adoptRefusals, refusalsOf } from "./refusals.js";

/** The place of one build in one partition. */
export interface LanePlace {
  readonly build: Build;
  readonly topic: string;
  readonly partition: number;
}

export interface Checkpoint {
  readonly epoch: number;
  readonly nextOffset: number;
  readonly positions: Positions;
  /** Fingerprint of the record before `nextOffset`; null where it is not known. */
  readonly lastRecord: string | null;
  /** Keys held back, as {@link storableText} writes them. */
  readonly held: Set<string>;
  /** What Postgres refused in the build, by offset: also of events to come, where the build that is shown has them. */
  readonly refused: ReadonlyMap<number, ParkReason>;
}

/** Text that Postgres can keep, one for one: NUL is escaped, and so is what looks like it. */
export const storableText = (text: string): string =>
  text.includes("\0") || text.includes("\\0") ? text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0") : text;

interface Row {
  readonly epoch: number;
  readonly next_offset: number;
  readonly journal: string | null;
  readonly positions: string;
  readonly last_record: string | null;
}

async function heldKeys(pool: Pool, { build, topic, partition }: LanePlace): Promise<Set<string>> {
  const { rows } = await pool.query<{ key: string }>(
    `SELECT DISTINCT key FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND state <> 'done'`,
    [build.projection, build.build, topic, partition],
  );
  return new Set(rows.map(({ key }) => key));
}

const found = async (pool: Pool, place: LanePlace, row: Row): Promise<Checkpoint> => ({
  epoch: Number(row.epoch),
  nextOffset: Number(row.next_offset),
  positions: new Positions(row.journal, row.positions),
  lastRecord: row.last_record,
  held: await heldKeys(pool, place),
  refused: await refusalsOf(pool, place.build, place.topic, place.partition),
});

interface Standing {
  readonly epoch: number;
  readonly owner: string;
}

/**
 * @param partitions of the topic, where that is known.
 * @throws TRIB_LOG_PARTITIONS_CHANGED when lanes of the build were opened over another number of them: a key's events are
 *   then in two partitions, in no order.
 */
async function standing(
  pool: Pool,
  { build, topic, partition }: LanePlace,
  partitions?: number,
): Promise<Standing | undefined> {
  const { rows } = await pool.query<{ epoch: number | null; owner: string; before: number | null }>(
    `SELECT c.epoch, c.owner, o.before
     FROM (SELECT max(partitions) AS before FROM engine.checkpoints
           WHERE projection = $1 AND build = $2 AND topic = $3 AND partitions <> $5) AS o
     LEFT JOIN engine.checkpoints AS c
       ON c.projection = $1 AND c.build = $2 AND c.topic = $3 AND c.partition = $4`,
    [build.projection, build.build, topic, partition, partitions ?? null],
  );
  const row = rows[0];
  if (row?.before) throw partitionsChanged(topic, row.before, partitions);
  return row && row.epoch !== null ? { epoch: Number(row.epoch), owner: row.owner } : undefined;
}

const partitionsChanged = (topic: string, before: number, count: number | undefined) =>
  new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", `${topic} had ${before} partitions and now has ${count}.`, {
    topic,
    before,
    count: count ?? 0,
  });

/**
 * Raises the epoch, if it still is the one seen. So a statement that arrives late, when its sender has long asked again
 * or is gone, takes nothing from whoever came meanwhile. It waits for a statement of the former owner that is under way:
 * what it reads is after that.
 */
async function raise(
  pool: Pool,
  place: LanePlace,
  owner: string,
  seen: number,
  partitions?: number,
): Promise<Row | undefined> {
  const { build, topic, partition } = place;
  const { rows } = await pool.query<Row>(
    `UPDATE engine.checkpoints SET epoch = epoch + 1, owner = $5, partitions = coalesce($7, partitions), updated_at = now()
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND epoch = $6
     RETURNING epoch, next_offset, journal, positions::text, last_record`,
    [build.projection, build.build, topic, partition, owner, seen, partitions ?? null],
  );
  return rows[0];
}

/**
 * Takes a lane over: raises the epoch, so that whoever had it can write no more, and reads the checkpoint.
 * @param owner of this opening alone.
 * @throws TRIB_PROJECT_FENCE_LOST when the partition was given away meanwhile: nothing is taken from who has it now;
 *   TRIB_LOG_PARTITIONS_CHANGED when the topic has another number of partitions than lanes of the build were opened over.
 */
export async function takeOver(
  pool: Pool,
  place: LanePlace,
  owner: string,
  { isOwned, partitions }: Ownership = { isOwned: () => true },
): Promise<Checkpoint> {
  const { build, topic, partition } = place;
  for (;;) {
    const before = await standing(pool, place, partitions);
    if (!isOwned()) throw new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, { topic, partition });
    const raised = before && (await raise(pool, place, owner, before.epoch, partitions));
    if (raised) {
      await adoptRefusals(pool, build, topic, partition);
      return found(pool, place, raised);
    }
    // Others may be taking it over just now: who raises the epoch last has it.
    if (before) continue;
    await pool.query(
      `INSERT INTO engine.checkpoints (projection, build, topic, partition, epoch, owner, consumer_role)
       VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (projection, build, topic, partition) DO NOTHING`,
      [build.projection, build.build, topic, partition, owner, consumerRole(build.consumer)],
    );
  }
}

/**
 * Like {@link takeOver}, for an owner whose last statement may or may not have been committed.
 * @returns undefined when another owner came meanwhile: its epoch is not to be taken from it.
 */
export async function takeAgain(pool: Pool, place: LanePlace, owner: string): Promise<Checkpoint | undefined> {
  for (;;) {
    const before = await standing(pool, place);
    if (before?.owner !== owner) return undefined;
    // A statement of our own that was in doubt may have raised it since.
    const raised = await raise(pool, place, owner, before.epoch);
    if (raised) return found(pool, place, raised);
  }
}
