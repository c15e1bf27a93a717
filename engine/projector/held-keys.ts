import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";

/** A key held back, as its lane finds it. */
export interface HeldKey {
  readonly offset: number;
  /** As {@link storableText} writes it. */
  readonly key: string;
  readonly position: string | null;
  readonly eventId: string | null;
  readonly eventType: string | null;
  /** Why it is held. */
  readonly code: string;
  /** Highest journal positions seen when it was parked; null where that wasn't kept. */
  readonly positions: string | null;
}

const placed = ({ build, topic, partition }: LanePlace) => [build.projection, build.build, topic, partition];

/**
 * The keys that are held now and were parked at one of these offsets, by that offset. A key that was parked there and is
 * held at a later event by now is among them.
 */
export async function heldAt(
  pool: Pool,
  place: LanePlace,
  offsets: readonly number[],
): Promise<ReadonlyMap<number, HeldKey>> {
  const { rows } = await pool.query<HeldKey & { readonly asked: number }>(
    `SELECT asked.log_offset AS asked, held.log_offset AS "offset", held.key, held.position, held.event_id AS "eventId",
       held.event_type AS "eventType", held.code, held.positions::text
     FROM engine.parked_keys AS asked
     JOIN engine.parked_keys AS held USING (projection, build, topic, partition, key)
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND asked.log_offset = ANY ($5::bigint[])
       AND held.state <> 'done'`,
    [...placed(place), offsets],
  );
  return new Map(rows.map(({ asked, ...held }) => [asked, held]));
}
