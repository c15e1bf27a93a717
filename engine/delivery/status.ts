import type { Log } from "../log/log.js";
import { vectorOf } from "../projector/vector.js";
import type { Pool } from "../store/pool.js";
import { topicsOfDelivery } from "./definition.js";
import { buildOfDelivery, type DeliveringConsumer } from "./registration.js";

/** A delivering consumer as `tributary status` shows it. */
export interface DeliveryStatus {
  readonly name: string;
  /** Kind of its destination. */
  readonly to: string;
  /** Records in its topics that its checkpoints have not passed. */
  readonly lagEvents: number;
  /** Seconds since the recorded time of the last event passed, while there is a lag; else 0. */
  readonly lagSeconds: number;
  readonly parkedKeys: number;
  /** When the last delivery ended, ISO 8601 in UTC; null before the first one. */
  readonly lastDelivery: string | null;
}

/** Every delivering consumer with its lag and parked keys. A partition that none has begun at the log's end has no lag. */
export async function deliveryStatuses(
  pool: Pool,
  log: Pick<Log, "watermarks">,
  now: number,
  consumers: readonly DeliveringConsumer[],
): Promise<readonly DeliveryStatus[]> {
  const statuses: DeliveryStatus[] = [];
  for (const { name, deliver, start = "latest" } of consumers) {
    const build = buildOfDelivery(name);
    const vector = await vectorOf(pool, build);
    let lagEvents = 0;
    for (const topic of topicsOfDelivery(deliver)) {
      for (const { partition, high } of await log.watermarks(topic)) {
        const next = vector[topic]?.[partition] ?? (start === "latest" ? high : 0);
        lagEvents += Math.max(0, high - next);
      }
    }
    const { rows } = await pool.query<{ parked: number; last: number | null; delivered: number | null }>(
      `SELECT
         (SELECT count(*)::integer FROM engine.parked_keys WHERE projection = $1 AND build = $2 AND state <> 'done') AS parked,
         (SELECT max(recorded_at) FROM engine.checkpoints WHERE projection = $1 AND build = $2) AS last,
         (SELECT max(last_attempt_at) FROM engine.deliveries WHERE consumer = $1) AS delivered`,
      [build.projection, build.build],
    );
    const { parked = 0, last = null, delivered = null } = rows[0] ?? {};
    statuses.push({
      name,
      to: deliver.to.kind,
      lagEvents,
      lagSeconds: lagEvents > 0 && last !== null ? Math.max(0, (now - last) / 1000) : 0,
      parkedKeys: parked,
      lastDelivery: delivered === null ? null : new Date(delivered).toISOString(),
    });
  }
  return statuses;
}
