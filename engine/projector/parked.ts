import type { Pool } from "../store/pool.js";

/** A key held back, by the first event that could not be applied. */
export interface ParkedKey {
  readonly projection: string;
  readonly build: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Journal position of the event, as in its header. */
  readonly position: string;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly code: string;
  readonly reason: string;
  readonly state: "parked" | "done";
  /** Epoch milliseconds. */
  readonly parkedAt: number;
}

export interface ParkedFilter {
  readonly projection?: string;
  readonly key?: string;
  /** Most rows; default 1,000. */
  readonly limit?: number;
}

const columns = `parked.projection, parked.build, parked.topic, parked.partition, parked.log_offset AS "offset", parked.key,
  parked.position, parked.event_id AS "eventId", parked.event_type AS "eventType", parked.code, parked.reason, parked.state,
  (extract(epoch from parked.parked_at) * 1000)::bigint AS "parkedAt"`;

/** Keys held back in the current builds, in the order in which they were parked. */
export async function listParked(pool: Pool, filter: ParkedFilter = {}): Promise<readonly ParkedKey[]> {
  const { rows } = await pool.query<ParkedKey>(
    `SELECT ${columns} FROM engine.parked_keys AS parked JOIN engine.builds AS builds USING (projection, build)
     WHERE builds.state = 'current' AND parked.state <> 'done'
       AND ($1::text IS NULL OR parked.projection = $1) AND ($2::text IS NULL OR parked.key = $2)
     ORDER BY parked.parked_at, parked.topic, parked.partition, parked.log_offset LIMIT $3`,
    [filter.projection ?? null, filter.key ?? null, filter.limit ?? 1_000],
  );
  return rows;
}

/** One parked key by the place of its event; undefined when nothing is parked there. Builds of every state. */
export async function showParked(
  pool: Pool,
  place: Pick<ParkedKey, "projection" | "topic" | "partition" | "offset">,
): Promise<ParkedKey | undefined> {
  const { rows } = await pool.query<ParkedKey>(
    `SELECT ${columns} FROM engine.parked_keys AS parked
     WHERE projection = $1 AND topic = $2 AND partition = $3 AND log_offset = $4 ORDER BY build DESC LIMIT 1`,
    [place.projection, place.topic, place.partition, place.offset],
  );
  return rows[0];
}

/** Whether an operator may decide that an event parks its key: the current build hasn't handled it, or holds it there. */
export async function mayBeParked(
  pool: Pool,
  place: Pick<ParkedKey, "projection" | "topic" | "partition" | "offset">,
): Promise<boolean> {
  const { rows } = await pool.query(
    `SELECT FROM engine.checkpoints AS c JOIN engine.builds AS builds USING (projection, build)
     WHERE builds.state = 'current' AND projection = $1 AND topic = $2 AND partition = $3
       AND (next_offset <= $4 OR EXISTS (SELECT FROM engine.parked_keys AS p
         WHERE (p.projection, p.build, p.topic, p.partition, p.log_offset) = (c.projection, c.build, $2, $3, $4)
           AND p.state <> 'done'))`,
    [place.projection, place.topic, place.partition, place.offset],
  );
  return rows.length > 0;
}
