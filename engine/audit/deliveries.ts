import type { Pool } from "../store/pool.js";
import { awaitedAmong } from "./awaited-deliveries.js";
import { placeName, type RecordPlace } from "./read-places.js";
import { type DeliveriesSource, type DeliverySource, type KnownDelivery, toldDeliveries } from "./told-deliveries.js";

/**
 * Where it stands that something was sent. both: in the log and in the database, alike. database: there alone, as
 * what was sent before deliveries were recorded in the log. removed: the log tells of it, and the database has no row any
 * more. changed: the database has a row that says otherwise than any record. awaited: the log tells of it, and its sender
 * has not come to write it, or has ended before it did; it is sent again then.
 */
export type DeliveryEvidence = "both" | "database" | "removed" | "changed" | "awaited";

/** What was sent to a partner of an event. */
export interface TrailDelivery extends Omit<KnownDelivery, keyof RecordPlace> {
  /** Place of the event, `topic/partition/offset`. */
  readonly place: string;
  readonly evidence: DeliveryEvidence;
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

/** Rows of some places. @param pool as a role that sees those of all consumers. */
export async function rowsAt(pool: Pool, places: readonly RecordPlace[]): Promise<readonly KnownDelivery[]> {
  if (places.length === 0) return [];
  const { rows } = await pool.query<KnownDelivery>(
    `SELECT ${columns}
     FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, log_offset)
     JOIN engine.deliveries AS d USING (topic, partition, log_offset)`,
    [places.map(({ topic }) => topic), places.map(({ partition }) => partition), places.map(({ offset }) => offset)],
  );
  return rows;
}

const isGivenUp: ReadonlySet<KnownDelivery["status"]> = new Set(["refused", "unanswered"]);
const nameOf = (row: KnownDelivery): string => `${placeName(row)} ${row.consumer}`;

/** By consumer and event, all that the log tells of some. */
export type Told = ReadonlyMap<string, readonly KnownDelivery[]>;

/** Reads what the log tells of the deliveries that are wanted. */
export async function toldOf(source: DeliverySource, isWanted: (row: KnownDelivery) => boolean): Promise<Told> {
  const told = new Map<string, KnownDelivery[]>();
  for await (const batch of toldDeliveries(source)) {
    for (const row of batch) {
      if (!isWanted(row)) continue;
      const name = nameOf(row);
      const before = told.get(name);
      if (before) before.push(row);
      else told.set(name, [row]);
    }
  }
  return told;
}

/** Whether a row says what one record says, and that no less was done: of several attempts it tells together. */
export const isAlike = (row: KnownDelivery, told: KnownDelivery): boolean =>
  row.status === told.status &&
  row.lastAttemptAt === told.lastAttemptAt &&
  row.responseCode === told.responseCode &&
  row.bodySha256 === told.bodySha256 &&
  row.destination === told.destination &&
  row.deliveryId === told.deliveryId &&
  (row.sent || !told.sent) &&
  (row.opened || !told.opened) &&
  row.eventId === told.eventId;

/** Whether a row is what came of the records: as one of them says, and with no less than all of them say was done. */
function isOf(row: KnownDelivery, told: readonly KnownDelivery[]): boolean {
  return (
    told.some((one) => isAlike(row, one)) &&
    (row.sent || !told.some(({ sent }) => sent)) &&
    (row.opened || !told.some(({ opened }) => opened)) &&
    (row.status === "delivered" || !told.some(({ status }) => status === "delivered"))
  );
}

/** What several records say: as the last one that tells most, and all that was done. */
function summed(told: readonly KnownDelivery[]): KnownDelivery {
  const tellsMore = (left: KnownDelivery, right: KnownDelivery): boolean =>
    left.status === right.status
      ? right.lastAttemptAt > left.lastAttemptAt
      : right.status === "delivered" || (left.status !== "delivered" && right.lastAttemptAt > left.lastAttemptAt);
  return {
    ...told.reduce((left, right) => (tellsMore(left, right) ? right : left)),
    attempts: told.reduce((sum, { attempts }) => sum + attempts, 0),
    sent: told.some(({ sent }) => sent),
    opened: told.some(({ opened }) => opened),
    firstAttemptAt: Math.min(...told.map(({ firstAttemptAt }) => firstAttemptAt)),
  };
}

/**
 * What the log and the database together know of deliveries, in the order in which they ended.
 * @param told read before the database is asked: so what is written in between is there.
 */
async function joined(
  source: DeliveriesSource,
  told: Told,
  places: readonly RecordPlace[],
): Promise<readonly TrailDelivery[]> {
  const waitsAt = await awaitedAmong(
    source,
    [...told.values()].flatMap(([first]) => first ?? []),
  );
  const rows = new Map((await rowsAt(source.pool, places)).map((row) => [nameOf(row), row]));
  const found = [...new Set([...rows.keys(), ...told.keys()])].map((name) => {
    const [row, records] = [rows.get(name), told.get(name) ?? []];
    if (records.length === 0) return { row: row as KnownDelivery, evidence: "database" as const };
    if (row && isOf(row, records)) return { row, evidence: "both" as const };
    const missing = row ? ("changed" as const) : ("removed" as const);
    const where = waitsAt(records[0] as KnownDelivery);
    // What holds a key is written by the statement that holds it.
    const isWritten = where === "held" && !row && records.some(({ status }) => isGivenUp.has(status));
    return { row: summed(records), evidence: where === undefined || isWritten ? missing : ("awaited" as const) };
  });
  const order = (one: KnownDelivery): string => `${placeName(one)} ${one.consumer}`;
  return found
    .sort(
      ({ row: left }, { row: right }) =>
        left.lastAttemptAt - right.lastAttemptAt || (order(left) < order(right) ? -1 : 1),
    )
    .map(({ row: { topic, partition, offset, ...delivery }, evidence }) => ({
      place: placeName({ topic, partition, offset }),
      ...delivery,
      evidence,
    }));
}

/**
 * Deliveries made of events, in the order in which they ended.
 * @param asksLog false: as the database alone knows them, which takes as long however many there are. Default true.
 */
export async function deliveriesOf(
  source: DeliveriesSource,
  places: readonly RecordPlace[],
  asksLog = true,
): Promise<readonly TrailDelivery[]> {
  if (places.length === 0) return [];
  const wanted = new Map(places.map((place) => [placeName(place), place]));
  const told: Told = asksLog ? await toldOf(source, (row) => wanted.has(placeName(row))) : new Map();
  return joined(source, told, [...wanted.values()]);
}

/** Deliveries that were tried between two moments, both inclusive: epoch milliseconds. In the order in which they ended. */
export async function deliveriesWithin(
  source: DeliveriesSource,
  from: number,
  until: number,
): Promise<readonly TrailDelivery[]> {
  const isWithin = ({ firstAttemptAt, lastAttemptAt }: Pick<KnownDelivery, "firstAttemptAt" | "lastAttemptAt">) =>
    firstAttemptAt <= until && lastAttemptAt >= from;
  const near = await toldOf(source, isWithin);
  const { rows } = await source.pool.query<RecordPlace>(
    `SELECT DISTINCT topic, partition, log_offset AS "offset" FROM engine.deliveries
     WHERE first_attempt_at <= $2 AND last_attempt_at >= $1`,
    [new Date(from), new Date(until)],
  );
  const all = [...rows, ...[...near.values()].flat()];
  const places = new Map(
    all.map(({ topic, partition, offset }) => [placeName({ topic, partition, offset }), { topic, partition, offset }]),
  );
  // Of each of them all records: one that began in the period may have ended after it.
  return (await deliveriesOf(source, [...places.values()])).filter(isWithin);
}
