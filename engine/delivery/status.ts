import type { Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
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
  /** Seconds since the recorded time of the oldest event that its checkpoints have not passed; 0 while there is none. */
  readonly lagSeconds: number;
  readonly parkedKeys: number;
  /** When the partner last took a delivery, ISO 8601 in UTC; null before the first one. */
  readonly lastDelivery: string | null;
  /** The last attempt that is recorded, whatever came of it; null before the first one. */
  readonly lastAttempt: LastAttempt | null;
}

export interface LastAttempt {
  /** ISO 8601 in UTC. */
  readonly at: string;
  /** HTTP status; null where no answer came. */
  readonly answer: number | null;
}

interface DeliveryFacts {
  readonly parked: number;
  /** Epoch milliseconds. */
  readonly delivered: number | null;
  readonly attempted: number | null;
  readonly answer: number | null;
}

/** When the first record at or after an offset was recorded, epoch milliseconds. */
async function recordedFrom(log: Pick<Log, "read">, topic: string, partition: number, from: number, high: number) {
  for await (const [record] of log.read(topic, partition, from, high))
    if (record) return parsePosition(record.headers[positionHeader] ?? "")?.recordedAt ?? record.timestamp;
  return undefined;
}

/** Every delivering consumer with its lag and parked keys. A partition that none has begun at the log's end has no lag. */
export async function deliveryStatuses(
  pool: Pool,
  log: Pick<Log, "watermarks" | "read">,
  now: number,
  consumers: readonly DeliveringConsumer[],
): Promise<readonly DeliveryStatus[]> {
  const statuses: DeliveryStatus[] = [];
  for (const { name, deliver, start = "latest" } of consumers) {
    const build = buildOfDelivery(name);
    const vector = await vectorOf(pool, build);
    let lagEvents = 0;
    let oldest = now;
    for (const topic of topicsOfDelivery(deliver)) {
      for (const { partition, low, high } of await log.watermarks(topic)) {
        const next = vector[topic]?.[partition] ?? (start === "latest" ? high : 0);
        if (next >= high) continue;
        lagEvents += high - next;
        oldest = Math.min(oldest, (await recordedFrom(log, topic, partition, Math.max(low, next), high)) ?? now);
      }
    }
    const { rows } = await pool.query<DeliveryFacts>(
      `SELECT
         (SELECT count(*)::integer FROM engine.parked_keys WHERE projection = $1 AND build = $2 AND state <> 'done') AS parked,
         (SELECT max(last_attempt_at) FROM engine.deliveries WHERE consumer = $1 AND status = 'delivered') AS delivered,
         attempt.at AS attempted, attempt.answer
       FROM (VALUES (1)) AS one LEFT JOIN
         (SELECT last_attempt_at AS at, response_code AS answer FROM engine.deliveries WHERE consumer = $1
          ORDER BY last_attempt_at DESC LIMIT 1) AS attempt ON true`,
      [build.projection, build.build],
    );
    const { parked = 0, delivered = null, attempted = null, answer = null } = rows[0] ?? {};
    statuses.push({
      name,
      to: deliver.to.kind,
      lagEvents,
      lagSeconds: (now - oldest) / 1000,
      parkedKeys: parked,
      lastDelivery: delivered === null ? null : new Date(delivered).toISOString(),
      lastAttempt: attempted === null ? null : { at: new Date(attempted).toISOString(), answer },
    });
  }
  return statuses;
}
