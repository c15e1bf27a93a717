import type { AccessRecorded } from "../../schemas/audit/audit.generated.js";
import type { Pool } from "../store/pool.js";
import type { AuditRecord } from "./access.js";
import type { Disclosed } from "./disclosures.js";
import { placeName, type RecordPlace } from "./read-places.js";

/** What was sent to a partner of an event. Instants are epoch milliseconds. */
export interface TrailDelivery {
  /** Place of the event, `topic/partition/offset`. */
  readonly place: string;
  readonly eventId: string;
  readonly eventType: string;
  /** The consumer that delivers: whom it is for. */
  readonly consumer: string;
  /** Kind and origin of the address. */
  readonly destination: string;
  /** The same at every attempt. */
  readonly deliveryId: string;
  /** waiting: it is tried again. refused: the partner will not have it. unanswered: given up. In the first and last it may have it. */
  readonly status: "delivered" | "waiting" | "refused" | "unanswered";
  readonly attempts: number;
  /** Whether content that identifies people was opened for it. */
  readonly opened: boolean;
  /** Whether the partner may have been sent any of it: false where no connection came about. */
  readonly sent: boolean;
  readonly firstAttemptAt: number;
  readonly lastAttemptAt: number;
  /** HTTP status of the last answer; null when there was none. */
  readonly responseCode: number | null;
  /** SHA-256 of the body as it was sent last, in hexadecimal: the partner can compute it of what it has. */
  readonly bodySha256: string;
}

/** Consumers that deliver, or did. @param pool as a role that sees all of them. */
export async function deliveringNames(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    "SELECT DISTINCT projection AS name FROM engine.builds WHERE feed = 'delivery' ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

const columns = `d.topic, d.partition, d.log_offset AS "offset", d.event_id AS "eventId", d.event_type AS "eventType",
       d.consumer, d.destination, d.delivery_id AS "deliveryId", d.status, d.attempts, d.opened, d.sent,
       d.first_attempt_at AS "firstAttemptAt", d.last_attempt_at AS "lastAttemptAt",
       d.response_code AS "responseCode", pg_catalog.encode(d.body_sha256, 'hex') AS "bodySha256"`;
const order = "ORDER BY d.last_attempt_at, d.topic, d.partition, d.log_offset, d.consumer";

type DeliveryAt = Omit<TrailDelivery, "place"> & RecordPlace;

const placed = ({ topic, partition, offset, ...delivery }: DeliveryAt): TrailDelivery => ({
  place: placeName({ topic, partition, offset }),
  ...delivery,
});

/** Deliveries made of events, in the order in which they ended. @param pool as a role that sees all of them. */
export async function deliveriesOf(pool: Pool, places: readonly RecordPlace[]): Promise<readonly TrailDelivery[]> {
  if (places.length === 0) return [];
  const { rows } = await pool.query<DeliveryAt>(
    `SELECT ${columns}
     FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, log_offset)
     JOIN engine.deliveries AS d USING (topic, partition, log_offset)
     ${order}`,
    [places.map(({ topic }) => topic), places.map(({ partition }) => partition), places.map(({ offset }) => offset)],
  );
  return rows.map(placed);
}

/** Deliveries that were tried between two moments, both inclusive: epoch milliseconds. In the order in which they ended. */
export async function deliveriesWithin(pool: Pool, from: number, until: number): Promise<readonly TrailDelivery[]> {
  const { rows } = await pool.query<DeliveryAt>(
    `SELECT ${columns} FROM engine.deliveries AS d WHERE d.first_attempt_at <= $2 AND d.last_attempt_at >= $1 ${order}`,
    [new Date(from), new Date(until)],
  );
  return rows.map(placed);
}

/** A delivery as the record of an access. */
export type DeliveryRecord = AuditRecord & {
  readonly value: Omit<AccessRecorded, "action"> & { readonly action: "DELIVER" };
};

/**
 * Deliveries of a patient's events as what they are in an account of disclosures: what was given to others, and to whom.
 * Those that were refused, not answered or are to be sent again are among them: the partner was sent them. Those for which
 * there never was a connection are not.
 * @param since epoch milliseconds.
 */
export async function deliveryDisclosures(
  pool: Pool,
  { patients, records }: Disclosed,
  since: number,
): Promise<readonly DeliveryRecord[]> {
  const made = await deliveriesOf(pool, records);
  return made
    .filter(({ sent, lastAttemptAt }) => sent && lastAttemptAt >= since)
    .map((delivery): DeliveryRecord => {
      const { place, eventId, eventType, consumer, destination, deliveryId, status, opened, lastAttemptAt } = delivery;
      const answered = delivery.responseCode === null ? "" : `, answered ${delivery.responseCode}`;
      const [, partition, offset] = /\/(\d+)\/(\d+)$/.exec(place) ?? [];
      return {
        partition: Number(partition),
        offset: Number(offset),
        recordedAt: lastAttemptAt,
        type: "AccessRecorded",
        value: {
          meta: { id: deliveryId, time: lastAttemptAt, actor: `consumer ${consumer}` },
          action: "DELIVER",
          command: `${destination}: ${status}${answered}${opened ? ", opened" : ""}`,
          subject: { kind: eventType, id: eventId },
          patients: [...patients],
          bulk: null,
          events: 1,
          units: 0,
          reason: null,
          recipient: consumer,
        },
      };
    });
}

/** Several accounts as one, oldest first. */
export const oldestFirst = <Each extends AuditRecord>(found: readonly Each[]): Each[] =>
  [...found].sort((left, right) => left.value.meta.time - right.value.meta.time);
