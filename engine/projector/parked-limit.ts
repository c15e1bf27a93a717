import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import type { ParkedRow } from "./statement-parts.js";

export interface Parking {
  readonly pool: Pool;
  readonly place: LanePlace;
  /** Most keys the build may hold back. */
  readonly limit: number;
  /** Keys that the lane holds back, those not yet written included. */
  readonly held: number;
  /** Among them, those that are parked by what is about to be written. */
  readonly parked: readonly ParkedRow[];
}

/**
 * Asked before a statement that parks keys: a mistake in a fold must not empty a read model key by key. What operators
 * decided to park has room always.
 * @throws TRIB_PROJECT_TOO_MANY_PARKED naming the first event that has none.
 */
export async function assertRoomForParked({ pool, place, limit, held, parked }: Parking): Promise<void> {
  const { build, topic, partition } = place;
  const ownAccount = parked.filter(({ code }) => code !== "TRIB_PROJECT_PARKED_BY_OPERATOR");
  if (ownAccount.length === 0) return;
  const { rows } = await pool.query<{ others: number }>(
    `SELECT count(*) AS others FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND (topic, partition) <> ($3, $4) AND state <> 'done'`,
    [build.projection, build.build, topic, partition],
  );
  const beyond = Number(rows[0]?.others) + held - limit;
  if (beyond <= 0) return;
  const without = ownAccount[Math.max(0, ownAccount.length - beyond)] as ParkedRow;
  throw new TributaryError(
    "TRIB_PROJECT_TOO_MANY_PARKED",
    `${build.projection} holds back as many keys as it may (${limit}); the event at ${topic}/${partition}/${without.offset} would be one more.`,
    { projection: build.projection, build: build.build, topic, partition, offset: without.offset, code: without.code },
  );
}
