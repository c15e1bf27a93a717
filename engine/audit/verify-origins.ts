import { hash } from "node:crypto";
import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import { decodeEntries } from "../intake/decode-entries.js";
import { type PlacedUnit, PublishedUnits, publishedUpTo } from "../intake/standing-facts.js";
import { type KeyedPartitions, keyedPartitions } from "../intake/topic-partitions.js";
import type { Codec } from "../log/codec.js";
import type { IncomingRecord, Log, Watermarks } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import { type EventPosition, parsePosition, positionHeader } from "../log/position.js";
import { entities, eventsTopic, journalTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import { placeName, placesIn, type RecordPlace, readPlaces } from "./read-places.js";
import { strayFrom } from "./stray.js";

/** An event without its unit, or a unit without its event. */
export interface OriginFinding extends RecordPlace {
  /** `event of no unit`: a record of an event topic. `event missing`: an entry of the journal. */
  readonly what: "event of no unit" | "event missing";
  /** In plain words; names no content. */
  readonly detail: string;
}

/** How topics of events and the journal agree. */
export interface OriginsReport {
  readonly ok: boolean;
  /** Entries of the journal that were looked at. */
  readonly entries: number;
  /** Records in the topics of events. */
  readonly events: number;
  /** Of these, repetitions by the publisher, which consumers drop. */
  readonly repeated: number;
  /** How many records are of no unit, and how many events of units are missing. */
  readonly strays: number;
  readonly missing: number;
  /** The first of each kind, {@link mostTold} at most. */
  readonly findings: readonly OriginFinding[];
}

export interface OriginsOptions {
  readonly log: Pick<Log, "read" | "watermarks">;
  /** As a role that sees the ledger, the publisher's checkpoints, and what is known of topics. */
  readonly pool: Pool;
  readonly codec: Codec;
  /** Id of the journal. */
  readonly journal: string;
}

const mostTold = 100;
/** Records that may be repetitions and are looked up in the journal together. */
const mostDoubted = 2_000;

interface Doubted extends RecordPlace {
  readonly record: IncomingRecord;
  readonly position: EventPosition;
  /** Whether an event of this position was still to be met, with other content or another time. */
  readonly isFirst: boolean;
}

/** An event that the journal holds and that is not met yet. */
interface Expected {
  readonly type: string;
  readonly content: string;
}

/** Where an event is to be, and as what. */
const laneName = (topic: string, partition: number): string => `${topic}/${partition}`;
const positionName = ({ partition, offset, index }: Pick<EventPosition, "partition" | "offset" | "index">): string =>
  `${partition}:${offset}:${index}`;
const contentOf = (key: string, value: Buffer, recordedAt: number): string =>
  `${recordedAt} ${hash("sha256", value, "base64")} ${key}`;

/** One partition of the journal, read as far as events of it were met. */
class JournalCursor {
  /** Offset after the last entry taken. */
  next: number;
  readonly high: number;
  readonly #batches: AsyncIterator<readonly IncomingRecord[]>;
  readonly #published = new PublishedUnits();
  readonly #options: OriginsOptions;
  readonly #partition: number;
  /** Entries of which nothing was published. */
  readonly unpublished = new Set<number>();
  #recordedAt = 0;

  constructor(options: OriginsOptions, { partition, low, high }: Watermarks) {
    this.#options = options;
    this.#partition = partition;
    this.next = low;
    this.high = high;
    this.#batches = options.log.read(journalTopic, partition, low, high)[Symbol.asyncIterator]();
  }

  /** The next entries with what was published of each, in order; empty at the end. */
  async take(): Promise<readonly { readonly unit: PlacedUnit; readonly recordedAt: number }[]> {
    const { value: records, done } = await this.#batches.next();
    if (done) {
      this.next = this.high;
      return [];
    }
    const entries = await decodeEntries(this.#options.codec, records);
    const units = records.map(({ offset }: IncomingRecord, index: number): PlacedUnit => {
      return { partition: this.#partition, offset, entry: entries[index] as PlacedUnit["entry"] };
    });
    const stand = await this.#published.of(this.#options.pool, units);
    return units.map((unit: PlacedUnit, index: number) => {
      this.#recordedAt = Math.max(this.#recordedAt, (records[index] as IncomingRecord).timestamp);
      this.next = unit.offset + 1;
      if (!stand.has(unit)) this.unpublished.add(unit.offset);
      return { unit, recordedAt: this.#recordedAt };
    });
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

/**
 * Says whether the topics of events hold what the journal says, and nothing else: each event compared byte for byte with
 * that of the unit that it names, in the partition of its key, and each event of a published unit looked for. What the
 * publisher repeated is compared, too.
 *
 * Every topic is read once, side by side by recorded time, so that little has to be kept: the events of units that were
 * read and not met yet.
 * @throws what keeps it from reading; TRIB_INTAKE_JOURNAL_INVALID
 */
export async function verifyOrigins(options: OriginsOptions): Promise<OriginsReport> {
  // Asked in this order, whatever was published before its checkpoint was asked is found below the marks.
  const { log, pool, journal } = options;
  const published = new Map<number, number>();
  for (const { partition } of await log.watermarks(journalTopic))
    published.set(partition, await publishedUpTo(pool, journal, partition));
  const lanes = [];
  for (const topic of entities.map(eventsTopic))
    for (const mark of await log.watermarks(topic)) lanes.push({ topic, ...mark });
  const keyed = await keyedPartitions(pool, entities.map(eventsTopic));
  const comparison = new Comparison(options, { lanes, keyed }, await log.watermarks(journalTopic));
  try {
    await comparison.readEvents();
    return await comparison.finish(published);
  } finally {
    await comparison.close();
  }
}

type Lane = Watermarks & { readonly topic: string };

interface EventTopics {
  readonly lanes: readonly Lane[];
  /** Of those that were given more partitions, over how many keys are spread. */
  readonly keyed: KeyedPartitions;
}

class Comparison {
  readonly #options: OriginsOptions;
  readonly #lanes: readonly Lane[];
  readonly #counts = new Map<string, number>();
  readonly #cursors: ReadonlyMap<number, JournalCursor>;
  readonly #expected = new Map<string, Map<string, Expected>>();
  #doubted: Doubted[] = [];
  readonly #findings: OriginFinding[] = [];
  #told = { entries: 0, events: 0, repeated: 0, strays: 0, missing: 0 };

  constructor(options: OriginsOptions, { lanes, keyed }: EventTopics, journal: readonly Watermarks[]) {
    this.#options = options;
    this.#lanes = lanes;
    for (const { topic } of lanes) this.#counts.set(topic, keyed.get(topic) ?? (this.#counts.get(topic) ?? 0) + 1);
    this.#cursors = new Map(journal.map((mark) => [mark.partition, new JournalCursor(options, mark)]));
  }

  /** Reads all topics of events, the one that is behind by recorded time first. */
  async readEvents(): Promise<void> {
    const { log } = this.#options;
    const reading = this.#lanes.map((lane) => {
      const { topic, partition, low, high } = lane;
      return { lane, at: 0, batches: log.read(topic, partition, low, high)[Symbol.asyncIterator]() };
    });
    try {
      while (reading.length > 0) {
        const behind = reading.reduce((left, right) => (right.at < left.at ? right : left));
        const { value: records, done } = await behind.batches.next();
        if (done) reading.splice(reading.indexOf(behind), 1);
        else for (const record of records) behind.at = Math.max(behind.at, await this.#meet(behind.lane, record));
      }
      await this.#lookUp();
    } finally {
      for (const { batches } of reading) await batches.return?.();
    }
  }

  /** @returns the recorded time that an event has. */
  async #meet({ topic, partition }: Lane, record: IncomingRecord): Promise<number> {
    const { offset } = record;
    const place = { topic, partition, offset };
    this.#told.events += 1;
    const position = parsePosition(record.headers[positionHeader] ?? "");
    const cursor = position && this.#cursors.get(position.partition);
    if (!position || !record.value) this.#stray(place, "it names no unit");
    else if (position.journal !== this.#options.journal) this.#stray(place, "it names a unit of another journal");
    else if (!cursor || position.offset >= cursor.high)
      this.#stray(place, "the journal has no entry where it says that it comes from");
    else {
      while (cursor.next <= position.offset) await this.#advance(cursor);
      const lane = this.#expected.get(laneName(topic, partition));
      const expected = lane?.get(positionName(position));
      if (expected?.content === contentOf(record.key, record.value, position.recordedAt)) {
        lane?.delete(positionName(position));
      } else {
        this.#doubted.push({ ...place, record, position, isFirst: expected !== undefined });
        if (this.#doubted.length >= mostDoubted) await this.#lookUp();
      }
    }
    return position?.recordedAt ?? 0;
  }

  async #advance(cursor: JournalCursor): Promise<void> {
    for (const { unit, recordedAt } of await cursor.take()) {
      this.#told.entries += 1;
      const { partition, offset, entry } = unit;
      if (cursor.unpublished.has(offset)) continue;
      for (const [index, { topic, key, type, value }] of entry.events.entries()) {
        const lane = laneName(topic, partitionOf(key, this.#counts.get(topic) ?? 1));
        const expected = this.#expected.get(lane) ?? new Map<string, Expected>();
        this.#expected.set(lane, expected);
        expected.set(positionName({ partition, offset, index }), { type, content: contentOf(key, value, recordedAt) });
      }
    }
  }

  /** Tells repetitions from what no unit holds. */
  async #lookUp(): Promise<void> {
    const doubted = this.#doubted;
    this.#doubted = [];
    const { log, codec } = this.#options;
    const places = doubted.map(({ position: { partition, offset } }) => ({ topic: journalTopic, partition, offset }));
    const found = await readPlaces(log, await placesIn(log, journalTopic, places));
    const decoded = await decodeEntries(
      codec,
      found.map(({ record }) => record),
    );
    const entries = new Map(
      found.map((placed, index) => {
        return [placeName(placed), { entry: decoded[index] as JournalEntry, timestamp: placed.record.timestamp }];
      }),
    );
    for (const { record, position, isFirst, ...place } of doubted) {
      const { partition, offset } = position;
      const entry = entries.get(placeName({ topic: journalTopic, partition, offset }));
      const why =
        strayFrom({ topic: place.topic, record }, position, entry) ??
        this.#elsewhere(record, position, place) ??
        (isFirst ? "it says it was recorded at another time than the unit that it names" : null);
      if (why === null) this.#told.repeated += 1;
      else this.#stray(place, why);
    }
  }

  /** Of what a unit holds: why it is none of what was published of it all the same. */
  #elsewhere({ key }: IncomingRecord, position: EventPosition, { topic, partition }: RecordPlace): string | null {
    if (this.#cursors.get(position.partition)?.unpublished.has(position.offset))
      return "the unit that it names is a resend, of which nothing is published";
    return partitionOf(key, this.#counts.get(topic) ?? 1) === partition
      ? null
      : "its key belongs into another partition";
  }

  #stray(place: RecordPlace, detail: string): void {
    this.#told.strays += 1;
    if (this.#told.strays <= mostTold) this.#findings.push({ ...place, what: "event of no unit", detail });
  }

  /** Reads what is left of the journal, and looks for what was never met. @param published where the publisher stood. */
  async finish(published: ReadonlyMap<number, number>): Promise<OriginsReport> {
    for (const [partition, cursor] of this.#cursors) {
      const end = Math.min(cursor.high, published.get(partition) ?? 0);
      while (cursor.next < end) await this.#advance(cursor);
    }
    const missing: OriginFinding[] = [];
    for (const [lane, expected] of this.#expected) {
      for (const [name, { type }] of expected) {
        const [partition = 0, offset = 0, index = 0] = name.split(":").map(Number);
        // What the publisher has in hand may be on its way.
        if (offset >= (published.get(partition) ?? 0)) continue;
        const detail = `its event of the index ${index}, ${type}, was published and is not in ${lane}`;
        missing.push({ topic: journalTopic, partition, offset, what: "event missing", detail });
      }
    }
    missing.sort((left, right) => left.partition - right.partition || left.offset - right.offset);
    const told = { ...this.#told, missing: missing.length };
    const findings = [...this.#findings, ...missing.slice(0, mostTold)];
    return { ok: findings.length === 0, ...told, findings };
  }

  async close(): Promise<void> {
    for (const cursor of this.#cursors.values()) await cursor.close();
  }
}
