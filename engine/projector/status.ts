import type { Log } from "../log/log.js";
import type { Pool } from "../store/pool.js";
import { type BuildState, listBuilds } from "./build.js";
import type { AnyProjection } from "./definition.js";
import { topicsOfProjections } from "./roles.js";
import { vectorOf } from "./vector.js";

/** A build as `tributary status` shows it. */
export interface BuildStatus {
  readonly name: string;
  readonly build: number;
  readonly schema: string;
  readonly state: BuildState;
  /** Events in the log that it has not handled, those of partitions it never took up included. */
  readonly lagEvents: number;
  /** Seconds since the recorded time of the last event applied, while there is a lag; else 0. */
  readonly lagSeconds: number;
  readonly parkedKeys: number;
  /** Rows that derived tables could not hold: `left_out_why` of `engine.derived_tables` names the first reason. */
  readonly leftOutRows: number;
}

/**
 * All builds with their lag and parked keys.
 * @param projections the definitions known here: they name the topics of a build that no process has fed yet.
 */
export async function buildStatuses(
  pool: Pool,
  log: Pick<Log, "watermarks">,
  now: number,
  projections: readonly AnyProjection[],
): Promise<readonly BuildStatus[]> {
  const high = new Map<string, ReadonlyMap<number, number>>();
  const highOf = async (topic: string) => {
    let partitions = high.get(topic);
    if (!partitions) {
      partitions = new Map((await log.watermarks(topic)).map((mark) => [mark.partition, mark.high]));
      high.set(topic, partitions);
    }
    return partitions;
  };
  const statuses: BuildStatus[] = [];
  for (const build of await listBuilds(pool)) {
    let lagEvents = 0;
    const vector = await vectorOf(pool, build);
    const known = topicsOfProjections(projections.filter(({ name }) => name === build.projection));
    for (const topic of new Set([...known, ...Object.keys(vector)])) {
      for (const [partition, high] of await highOf(topic)) {
        lagEvents += Math.max(0, high - (vector[topic]?.[partition] ?? 0));
      }
    }
    const { rows } = await pool.query<{ parked: number; last: number | null; leftOut: number }>(
      `SELECT
         (SELECT count(*) FROM engine.parked_keys WHERE projection = $1 AND build = $2 AND state <> 'done') AS parked,
         (SELECT (extract(epoch from max(recorded_at)) * 1000)::bigint FROM engine.checkpoints
          WHERE projection = $1 AND build = $2) AS last,
         (SELECT coalesce(sum(left_out), 0)::integer FROM engine.derived_tables
          WHERE projection = $1 AND build = $2) AS "leftOut"`,
      [build.projection, build.build],
    );
    const { parked, last, leftOut } = rows[0] ?? { parked: 0, last: null, leftOut: 0 };
    statuses.push({
      name: build.projection,
      build: build.build,
      schema: build.schema,
      state: build.state,
      lagEvents,
      lagSeconds: lagEvents > 0 && last !== null ? Math.max(0, (now - Number(last)) / 1000) : 0,
      parkedKeys: Number(parked),
      leftOutRows: Number(leftOut),
    });
  }
  return statuses;
}
