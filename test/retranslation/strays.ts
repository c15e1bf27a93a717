import { describe, expect, it } from "vitest";
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
const originsOf = (region: Region, log: Pick<Log, "read" | "watermarks"> = region.kafka.log) =>
  verifyOrigins({ log, pool: region.database.pool, codec: region.kafka.codec, journal: region.kafka.journal });

/** The same, where the first event of a visit is gone from its topic, or is another one. */
function originsWhere(
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
async function writtenPastTheJournal(region: Region, visit: string) {
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

/** Topics of events beside the journal, in a region that is there once a test runs. Afterwards nothing folds there any more. */
export function topicsOfEvents(
  region: () => Region,
  { visitOf, entries }: { readonly visitOf: (name: string) => string; readonly entries: () => Promise<number> },
): void {
  describe("topics of events", () => {
    it("hold what the journal says, of units translated again, sent again, withdrawn and erased; what is gone is missed", async () => {
      const report = await originsOf(region());
      expect(report).toMatchObject({ ok: true, strays: 0, missing: 0, findings: [] });
      expect(report.events).toBeGreaterThan(40);
      expect(report.entries).toBe(await entries());
      const gone = await originsWhere(region(), visitOf("one"), () => undefined);
      expect([gone.missing, gone.strays]).toEqual([1, 0]);
      expect(gone.findings[0]?.detail).toMatch(/^its event of the index 0, VisitStarted, was published and is not in /);
      const other = await originsWhere(region(), visitOf("one"), () => ({ value: Buffer.from("other") }));
      expect([other.missing, other.strays]).toEqual([1, 1]);
      const later = await originsWhere(region(), visitOf("one"), (record) => {
        const position = (record.headers.position as string).replace(/\d+$/, (at) => String(Number(at) + 1));
        return { headers: { position } };
      });
      expect(later.findings[0]?.detail).toBe("it says it was recorded at another time than the unit that it names");
    });

    it("tell what somebody wrote into them past the journal, and the trail does", async () => {
      const { details, doubted, place } = await writtenPastTheJournal(region(), visitOf("one"));
      const none = expect.stringMatching(/^the unit that it names has \d events, and none of the index 50$/);
      const nowhere = "the journal has no entry where it says that it comes from";
      expect(details).toEqual([
        none,
        "the unit that it names has another event of the index 0",
        "its key belongs into another partition",
        "it names no unit",
        nowhere,
        "it says it was recorded before the unit that it names",
        "the unit that it names is a resend, of which nothing is published",
        null,
      ]);
      // The others read models drop, or hold back.
      expect(doubted).toEqual([
        { place, stray: none },
        { place: expect.any(String), stray: nowhere },
      ]);
    });
  });
}
