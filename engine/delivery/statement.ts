import type { LanePlace } from "../projector/checkpoint.js";
import { type AddParameter, type ArrayColumn, answeredPart, parkedPart, unnested } from "../projector/fenced-parts.js";
import { consumerRole } from "../projector/names.js";
import type { ParkedRow } from "../projector/statement-parts.js";
import type { Pool } from "../store/pool.js";

/** A delivery that came to its end, well or not, or that waits for its next attempt. */
export interface DeliveryRow {
  readonly eventId: string;
  readonly deliveryId: string;
  readonly destination: string;
  readonly eventType: string;
  readonly offset: number;
  readonly status: "delivered" | "waiting" | "refused" | "unanswered";
  /** Since the row before. */
  readonly attempts: number;
  readonly opened: boolean;
  /** Whether the partner may have been sent it, by any attempt so far. */
  readonly sent: boolean;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly responseCode: number | null;
  readonly sha256: Buffer;
}

/** What a lane writes at once, behind its fence. */
export interface DeliveryWrite {
  readonly epoch: number;
  /** Where the checkpoint stands, and where it is to stand. */
  readonly first: number;
  readonly next: number;
  readonly journal: string | null;
  readonly positions: string;
  readonly lastRecord: string | null;
  /** Latest recorded time among what the checkpoint passes, epoch milliseconds. */
  readonly recordedAt: number | null;
  readonly deliveries: readonly DeliveryRow[];
  readonly parked: readonly ParkedRow[];
  /** Offsets at which keys were held that are not any more. */
  readonly released: readonly number[];
  /** What came of requests that are carried out with it, by their id. */
  readonly outcomes: ReadonlyMap<number, string>;
}

const deliveryColumns: readonly ArrayColumn<DeliveryRow>[] = [
  ["event_id", "text[]", ({ eventId }) => eventId],
  ["delivery_id", "uuid[]", ({ deliveryId }) => deliveryId],
  ["destination", "text[]", ({ destination }) => destination],
  ["event_type", "text[]", ({ eventType }) => eventType],
  ["log_offset", "bigint[]", ({ offset }) => offset],
  ["status", "text[]", ({ status }) => status],
  ["attempts", "integer[]", ({ attempts }) => attempts],
  ["opened", "boolean[]", ({ opened }) => opened],
  ["sent", "boolean[]", ({ sent }) => sent],
  ["first_attempt_at", "timestamptz[]", ({ firstAt }) => new Date(firstAt)],
  ["last_attempt_at", "timestamptz[]", ({ lastAt }) => new Date(lastAt)],
  ["response_code", "integer[]", ({ responseCode }) => responseCode],
  ["body_sha256", "bytea[]", ({ sha256 }) => sha256],
];

/**
 * Writes what came of deliveries and moves the checkpoint, all or nothing. The same write again changes nothing more.
 * @returns false when another owner came, and nothing was written.
 */
export async function writeDeliveries(pool: Pool, place: LanePlace, write: DeliveryWrite): Promise<boolean> {
  const { build, topic, partition } = place;
  const values: unknown[] = [];
  const add: AddParameter = (value, type) => `$${values.push(value)}::${type}`;
  const [name, number, inTopic, inPartition] = [
    add(build.projection, "text"),
    add(build.build, "integer"),
    add(topic, "text"),
    add(partition, "integer"),
  ];
  const { epoch, first, next, journal, positions, lastRecord, recordedAt, deliveries, parked, released, outcomes } =
    write;
  const parts = [
    `fence AS (UPDATE engine.checkpoints AS c SET next_offset = ${add(next, "bigint")}, journal = ${add(journal, "text")},
       positions = ${add(positions, "json")}, last_record = ${add(lastRecord, "text")}, updated_at = pg_catalog.now(),
       recorded_at = greatest(c.recorded_at, ${add(recordedAt === null ? null : new Date(recordedAt), "timestamptz")})
     WHERE c.projection = ${name} AND c.build = ${number} AND c.topic = ${inTopic} AND c.partition = ${inPartition}
       AND c.epoch = ${add(epoch, "bigint")} AND c.next_offset = ${add(first, "bigint")} RETURNING 1)`,
  ];
  if (deliveries.length > 0) {
    const names = deliveryColumns.map(([column]) => column);
    parts.push(`told AS (INSERT INTO engine.deliveries AS d (consumer, topic, partition, consumer_role, ${names.join(", ")})
      SELECT ${name}, ${inTopic}, ${inPartition}, ${add(consumerRole(build.consumer), "name")}, ${names.map((column) => `u.${column}`).join(", ")}
      FROM ${unnested(deliveryColumns, deliveries, add)} WHERE EXISTS (TABLE fence)
      ON CONFLICT (event_id, consumer) DO UPDATE SET status = EXCLUDED.status, response_code = EXCLUDED.response_code,
        attempts = d.attempts + EXCLUDED.attempts, opened = d.opened OR EXCLUDED.opened, sent = d.sent OR EXCLUDED.sent,
        last_attempt_at = EXCLUDED.last_attempt_at, body_sha256 = EXCLUDED.body_sha256, destination = EXCLUDED.destination
      WHERE d.status <> 'delivered' AND d.last_attempt_at < EXCLUDED.last_attempt_at)`);
  }
  if (released.length > 0)
    parts.push(`released AS (UPDATE engine.parked_keys AS p SET state = 'done', mended = true
      WHERE p.projection = ${name} AND p.build = ${number} AND p.topic = ${inTopic} AND p.partition = ${inPartition}
        AND p.log_offset = ANY (${add(released, "bigint[]")}) AND EXISTS (TABLE fence))`);
  if (parked.length > 0) {
    const rows = parked.map((row) => ({ row, state: "parked" as const }));
    parts.push(`parked AS (${parkedPart(rows, place, add)})`);
  }
  if (outcomes.size > 0) parts.push(`answered AS (${answeredPart(outcomes, add)})`);
  const { rows } = await pool.query<{ fences: number }>(
    `WITH ${parts.join(", ")} SELECT count(*)::integer AS fences FROM fence`,
    values,
  );
  return rows[0]?.fences === 1;
}

/** Offsets of events that are delivered: of those at and after `from`, as many as are beyond a checkpoint, or of some. */
export async function deliveredAt(
  pool: Pool,
  { topic, partition, build }: LanePlace,
  which: { readonly from: number } | { readonly among: readonly number[] },
): Promise<ReadonlySet<number>> {
  const condition = "from" in which ? "log_offset >= $4" : "log_offset = ANY ($4::bigint[])";
  const { rows } = await pool.query<{ offset: number }>(
    `SELECT log_offset AS "offset" FROM engine.deliveries
     WHERE topic = $1 AND partition = $2 AND consumer = $3 AND status = 'delivered' AND ${condition}`,
    [topic, partition, build.projection, "from" in which ? which.from : which.among],
  );
  return new Set(rows.map(({ offset }) => Number(offset)));
}

/** Sets where a lane begins that was never opened before; later calls change nothing. */
export async function beginAt(pool: Pool, place: LanePlace, offset: number): Promise<void> {
  const { build, topic, partition } = place;
  await pool.query(
    `INSERT INTO engine.checkpoints (projection, build, topic, partition, next_offset, epoch, owner, consumer_role)
     VALUES ($1, $2, $3, $4, $5, 0, '', $6) ON CONFLICT (projection, build, topic, partition) DO NOTHING`,
    [build.projection, build.build, topic, partition, offset, consumerRole(build.consumer)],
  );
}
