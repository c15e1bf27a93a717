import { createHash } from "node:crypto";
import type { OutgoingRecord } from "../../engine/log/log.js";
import { partitionOf } from "../../engine/log/murmur2.js";
import type { Pool } from "../../engine/store/pool.js";
import { type Place, partitions } from "./place.js";
import { mixed, visitEncoder, visitEvent, visitIdOf, visitTopic } from "./visit-event.js";

/** Which visit each event is about, in the order of the log. */
export type Shape = (events: number) => Generator<number>;

/** Up to 50,000 visits are open at once and interleave; a visit has 2 to 6 events. As in the side-by-side benchmark. */
export function* interleaved(events: number): Generator<number> {
  const open = Math.max(1, Math.min(50_000, Math.floor(events / 20)));
  const visits = Uint32Array.from({ length: open }, (_, slot) => slot);
  const left = Uint8Array.from({ length: open }, (_, slot) => 2 + (mixed(slot, 1) % 5));
  let next = open;
  for (let event = 0; event < events; event++) {
    const slot = mixed(event, 2) % open;
    yield visits[slot] as number;
    left[slot] = (left[slot] as number) - 1;
    if (left[slot] === 0) {
      visits[slot] = next;
      left[slot] = 2 + (mixed(next++, 1) % 5);
    }
  }
}

/** A quarter as many visits as events, drawn by Zipf's law (s = 1): few are hot. */
export function* skewed(events: number): Generator<number> {
  const visits = Math.max(1, Math.floor(events / 4));
  const upTo = new Float64Array(visits);
  let sum = 0;
  for (let visit = 0; visit < visits; visit++) {
    sum += 1 / (visit + 1);
    upTo[visit] = sum;
  }
  for (let event = 0; event < events; event++) {
    const wanted = (mixed(event, 3) / 2 ** 32) * sum;
    let low = 0;
    let high = visits - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    yield low;
  }
}

/** Each of so many visits once. */
export function* eachOnce(visits: number): Generator<number> {
  for (let visit = 0; visit < visits; visit++) yield visit;
}

/** Events of visits drawn evenly: whatever is kept in memory of them, most are not there. */
export const drawnOf = (visits: number): Shape =>
  function* drawn(events) {
    for (let event = 0; event < events; event++) yield mixed(event, 4) % visits;
  };

/** Two sums over all rows, each column of each row in them, in no order. */
interface Digest {
  readonly rows: number;
  readonly high: number;
  readonly low: number;
}

const batchRecords = 8_000;

/** A topic of visit events, and what the read model made of it must be. */
export class VisitLog {
  readonly #place: Place;
  readonly #sequences: number[] = [];
  #encode: ((event: ReturnType<typeof visitEvent>) => Buffer) | undefined;
  events = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The next record of a visit, with its partition. */
  async next(visit: number): Promise<OutgoingRecord & { readonly partition: number }> {
    if (!this.#encode) {
      await this.#place.topics.create(visitTopic, partitions);
      this.#encode = await visitEncoder(this.#place.settings);
    }
    return this.#record(visit, this.#encode);
  }

  #record(visit: number, encode: (event: ReturnType<typeof visitEvent>) => Buffer) {
    const sequence = (this.#sequences[visit] ?? 0) + 1;
    this.#sequences[visit] = sequence;
    this.events++;
    const key = visitIdOf(visit);
    return {
      topic: visitTopic,
      key,
      partition: partitionOf(key, partitions),
      value: encode(visitEvent(visit, sequence)),
    };
  }

  /** Appends events of visits in their order; resolves when the log has them all. */
  async append(visits: Iterable<number>): Promise<void> {
    const producer = await this.#place.log.producer();
    let batch: OutgoingRecord[] = [];
    let underWay: Promise<unknown> = Promise.resolve();
    for (const visit of visits) {
      batch.push(this.#encode ? this.#record(visit, this.#encode) : await this.next(visit));
      if (batch.length < batchRecords) continue;
      await underWay;
      underWay = producer.append(batch);
      batch = [];
    }
    await underWay;
    if (batch.length > 0) await producer.append(batch);
    await producer.close();
  }

  /** What the table must be, from what was appended and nothing else. */
  expected(): Digest {
    let rows = 0;
    let high = 0;
    let low = 0;
    for (const [visit, sequence] of this.#sequences.entries()) {
      if (!sequence) continue;
      const { ward, ...event } = visitEvent(visit, sequence);
      const { eventId, visitId, patientId, type, status, facility, occurredAt, chargeCents } = event;
      const row = [visitId, eventId, patientId, type, status, ward ?? "", facility, occurredAt, sequence, chargeCents];
      const hash = createHash("md5").update(row.join("|")).digest("hex");
      rows++;
      high += Number.parseInt(hash.slice(0, 6), 16);
      low += Number.parseInt(hash.slice(6, 12), 16);
    }
    return { rows, high, low };
  }

  /**
   * Compares the build's table with what it must be, all columns of all rows.
   * @throws when they differ: a figure of a wrong table counts for nothing.
   */
  async assertRight(pool: Pool, schema: string): Promise<void> {
    const { rows } = await pool.query<{ [name in keyof Digest]: string }>(
      `SELECT count(*) AS rows, coalesce(sum(('x' || substr(hash, 1, 6))::bit(24)::integer), 0) AS high,
         coalesce(sum(('x' || substr(hash, 7, 6))::bit(24)::integer), 0) AS low
       FROM (SELECT md5(concat_ws('|', visit_id, event_id, patient_id, type, status, coalesce(ward, ''), facility,
         (extract(epoch FROM occurred_at) * 1000)::bigint, sequence, charge_cents)) AS hash FROM ${schema}.visits) AS hashes`,
    );
    const expected = this.expected();
    const found = { rows: Number(rows[0]?.rows), high: Number(rows[0]?.high), low: Number(rows[0]?.low) };
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`The table is wrong: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}.`);
    }
  }
}
