import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { consumerRole } from "./names.js";
import { Positions } from "./positions.js";

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
  /** Keys held back, as {@link storableText} writes them. */
  readonly held: Set<string>;
}

/** Text that Postgres can keep, one for one: NUL is escaped, and the escape itself. */
export const storableText = (text: string): string =>
  text.includes("\0") ? text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0") : text;

interface Row {
  readonly epoch: number;
  readonly next_offset: number;
  readonly journal: string | null;
  readonly positions: string;
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
  held: await heldKeys(pool, place),
});

/**
 * Takes a lane over: raises the epoch, so that whoever had it can write no more, and reads the checkpoint. Raising waits
 * for a statement of the former owner that is still under way: what is read is after it.
 */
export async function takeOver(pool: Pool, place: LanePlace, owner: string): Promise<Checkpoint> {
  const { build, topic, partition } = place;
  const { rows } = await pool.query<Row>(
    `INSERT INTO engine.checkpoints AS c (projection, build, topic, partition, epoch, owner, consumer_role)
     VALUES ($1, $2, $3, $4, 1, $5, $6)
     ON CONFLICT (projection, build, topic, partition)
     DO UPDATE SET epoch = c.epoch + 1, owner = EXCLUDED.owner, updated_at = now()
     RETURNING epoch, next_offset, journal, positions::text`,
    [build.projection, build.build, topic, partition, owner, consumerRole(build.consumer)],
  );
  return found(pool, place, rows[0] as Row);
}

/**
 * Like {@link takeOver}, for an owner whose last statement may or may not have been committed.
 * @returns undefined when another owner came meanwhile: its epoch is not to be taken from it.
 */
export async function takeAgain(
  pool: Pool,
  place: LanePlace,
  owner: string,
  epoch: number,
): Promise<Checkpoint | undefined> {
  const { build, topic, partition } = place;
  const { rows } = await pool.query<Row>(
    `UPDATE engine.checkpoints SET epoch = epoch + 1, updated_at = now()
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND owner = $5 AND epoch >= $6
     RETURNING epoch, next_offset, journal, positions::text`,
    [build.projection, build.build, topic, partition, owner, epoch],
  );
  const row = rows[0];
  return row ? found(pool, place, row) : undefined;
}
