import { expect } from "vitest";
import { trailOf } from "../../engine/audit/trail.js";
import { type OriginsReport, verifyOrigins } from "../../engine/audit/verify-origins.js";
import { decodeEntries } from "../../engine/intake/decode-entries.js";
import type { IncomingRecord, Log, OutgoingRecord } from "../../engine/log/log.js";
import { comparePositions, formatPosition, parsePosition, positionHeader } from "../../engine/log/position.js";
import { eventsTopic, journalTopic } from "../../engine/log/schemas.js";
import { projections, type Region } from "../region.js";

const topic = eventsTopic("visit");

async function recordsOf(log: Log, from: string) {
  const found: { readonly partition: number; readonly record: IncomingRecord }[] = [];
  for (const { partition, low, high } of await log.watermarks(from))
    for await (const records of log.read(from, partition, low, high))
      found.push(...records.map((record) => ({ partition, record })));
  return found;
}

/** Whether the topics of events hold what the journal says, whatever was translated again, withdrawn, erased or sent again. */
export const originsOf = (region: Region, log: Pick<Log, "read" | "watermarks"> = region.kafka.log) =>
  verifyOrigins({ log, pool: region.database.pool, codec: region.kafka.codec, journal: region.kafka.journal });

/** The same, where the first event of a visit is gone from its topic, or is another one. */
export function originsWhere(
  region: Region,
  key: string,
  changed: (record: IncomingRecord) => Partial<IncomingRecord> | undefined,
): Promise<OriginsReport> {
  const { log } = region.kafka;
  let left = 1;
  const other = (record: IncomingRecord): IncomingRecord[] => {
    const { offset, timestamp, value, headers } = record;
    const changes = changed(record);
    return changes ? [{ offset, timestamp, key, value, headers, ...changes }] : [];
  };
  return originsOf(region, {
    watermarks: (of) => log.watermarks(of),
    async *read(of, ...stretch) {
      for await (const records of log.read(of, ...stretch))
        yield of === topic
          ? records.flatMap((record) => (record.key === key && left-- === 1 ? other(record) : [record]))
          : records;
    },
  });
}

/** Writes past the journal what somebody may who may write to a topic of events, and looks who notices. */
export async function writtenPastTheJournal(region: Region, visit: string) {
  const { log, codec } = region.kafka;
  const { partitions, sent } = await told(log, visit);
  const [first, other] = sent as [(typeof sent)[number], (typeof sent)[number]];
  const position = parsePosition(first.record.headers[positionHeader] as string) as NonNullable<
    ReturnType<typeof parsePosition>
  >;
  const journal = await recordsOf(log, journalTopic);
  const entries = await decodeEntries(
    codec,
    journal.map(({ record }) => record),
  );
  const identities = entries.map(({ identity }) => identity?.toString("hex"));
  // A second unit of one identity: what was made of it was never published.
  const again = identities.findIndex((identity, index) => identity && identities.indexOf(identity) < index);
  const resent = entries[again]!.events[0]!;
  const last = (await recordsOf(log, topic))
    .filter(({ partition: of }) => of === first.partition)
    .flatMap(({ record }) => parsePosition(record.headers[positionHeader] as string) ?? [])
    .filter(({ partition: of }) => of === position.partition)
    .reduce((left, right) => (comparePositions(left, right) < 0 ? right : left));
  const at = (changes: Partial<typeof position>) => ({
    [positionHeader]: formatPosition({ ...position, ...changes }),
  });
  const of = (from: typeof first, changes: Partial<OutgoingRecord>): OutgoingRecord => {
    const { key, value, headers } = from.record;
    return { topic, partition: from.partition, key, value: value as Buffer, headers, ...changes };
  };
  const { partition, record } = journal[again]!;
  const forged: readonly OutgoingRecord[] = [
    of(first, { headers: at({ ...last, index: 50 }) }),
    of(first, { value: other.record.value as Buffer }),
    of(first, { partition: (first.partition + 1) % partitions }),
    of(first, { headers: {} }),
    of(first, { headers: at({ offset: 1_000_000 }) }),
    of(first, { headers: at({ recordedAt: 5 }) }),
    {
      topic: resent.topic,
      key: resent.key,
      value: resent.value,
      headers: at({ partition, offset: record.offset, index: 0, recordedAt: record.timestamp }),
    },
  ];
  await region.stop();
  const producer = await log.producer();
  const appended = await producer.append([...forged, of(first, {})]);
  await producer.close();
  const report = await originsOf(region);
  const places = appended.map(({ partition: to, offset }) => `${to}/${offset}`);
  const why = new Map(report.findings.map((found) => [`${found.partition}/${found.offset}`, found.detail]));
  expect(report).toMatchObject({ ok: false, strays: forged.length, missing: 0 });
  const { database, kafka } = region;
  const source = { log: kafka.log, pool: database.pool, codec, projections, scan: true };
  const { trail } = await trailOf(source, "visit", visit);
  const doubted = trail.events.filter(({ stray }) => stray !== null).map(({ place, stray }) => ({ place, stray }));
  return { details: places.map((place) => why.get(place) ?? null), doubted, place: `${topic}/${places[0]}` };
}

async function told(log: Log, visit: string) {
  const partitions = (await log.watermarks(topic)).length;
  return { partitions, sent: (await recordsOf(log, topic)).filter(({ record }) => record.key === visit) };
}
