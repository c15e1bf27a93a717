import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { type ParkReason, writeRefused } from "./park-reason.js";

/**
 * A build beside the one that is shown takes over what Postgres refused there of the events it has yet to fold: no fold
 * knows that, and its own tables may take what those would not. Only of one version: another one's rows are others.
 */
export async function adoptRefusals(pool: Pool, build: Build, topic: string, partition: number): Promise<void> {
  await pool.query(
    `INSERT INTO engine.parked_keys (projection, build, topic, partition, log_offset, key, position, event_id, event_type,
       code, reason, positions, state, consumer_role)
     SELECT p.projection, mine.build, p.topic, p.partition, p.log_offset, p.key, p.position, p.event_id, p.event_type,
       p.code, p.reason, p.positions, 'done', mine.consumer_role
     FROM engine.parked_keys AS p
     JOIN engine.builds AS shown ON shown.projection = p.projection AND shown.build = p.build AND shown.state = 'current'
     JOIN engine.builds AS mine ON mine.projection = p.projection AND mine.version = shown.version
     JOIN engine.checkpoints AS c ON c.projection = mine.projection AND c.build = mine.build
       AND c.topic = p.topic AND c.partition = p.partition
     WHERE mine.projection = $1 AND mine.build = $2 AND shown.build <> mine.build AND p.topic = $3 AND p.partition = $4
       AND p.code = $5 AND NOT p.mended AND p.log_offset >= c.next_offset
     ON CONFLICT DO NOTHING`,
    [build.projection, build.build, topic, partition, writeRefused],
  );
}

/** What Postgres refused in a build of the events of a partition, by offset. */
export async function refusalsOf(
  pool: Pool,
  build: Pick<Build, "projection" | "build">,
  topic: string,
  partition: number,
): Promise<ReadonlyMap<number, ParkReason>> {
  const { rows } = await pool.query<{ offset: number; reason: string }>(
    `SELECT log_offset AS "offset", reason FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND code = $5 AND NOT mended`,
    [build.projection, build.build, topic, partition, writeRefused],
  );
  return new Map(rows.map(({ offset, reason }) => [Number(offset), { code: writeRefused, reason }]));
}
