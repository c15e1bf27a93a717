import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IncomingRecord } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { consume } from "../testing/journal-script.js";
import { type FreshLog, freshLog } from "../testing/log.js";
import { openVault, type Vault } from "../vault/vault.js";
import type { ReceivedUnit } from "./connector.js";
import { type OpenIntake, openIntake } from "./intake.js";
import { type IntakeCounts, intakeCounts, type ListedEntry, listEntries } from "./journal.js";
import { type Publisher, startPublisher } from "./publisher.js";

const topic = "health.patient.events";
let database: FreshDatabase;
let kafka: FreshLog;
let vault: Vault;
let intake: OpenIntake;
const publishers = new Set<Publisher>();
const failures: Error[] = [];
/** Woken by every batch that is published. */
let wake: () => void = () => {};

beforeAll(async () => {
  database = await freshDatabase();
  kafka = await freshLog();
  vault = openVault({ pool: database.pool, kek: "ab".repeat(32) });
  intake = openIntake({
    connector: { name: "hl7v2", version: "1" },
    producer: await kafka.log.producer(),
    codec: kafka.codec,
    vault,
    pool: database.pool,
    secret: "5e".repeat(32),
  });
});
afterAll(async () => {
  for (const publisher of publishers) await publisher.close();
  vault?.close();
  await kafka?.drop();
  await database?.drop();
});

async function start(): Promise<Publisher> {
  const publisher = await startPublisher({
    log: kafka.log,
    pool: database.pool,
    codec: kafka.codec,
    journal: kafka.journal,
    onFailure: (error) => failures.push(error),
    onPublished: () => wake(),
    batchEntries: 20,
  });
  publishers.add(publisher);
  return publisher;
}
async function stop(publisher: Publisher): Promise<void> {
  publishers.delete(publisher);
  await publisher.close();
}
async function counted(units: number): Promise<IntakeCounts> {
  for (;;) {
    const published = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const counts = await intakeCounts(database.pool);
    if (counts.units >= units) return counts;
    await Promise.race([published, new Promise((resolve) => setTimeout(resolve, 500))]);
    if (failures.length > 0) throw failures[0];
  }
}
async function eventsOf(partition: number): Promise<IncomingRecord[]> {
  const { high = 0 } = (await kafka.log.watermarks(topic)).find((one) => one.partition === partition) ?? {};
  const records: IncomingRecord[] = [];
  for await (const batch of kafka.log.read(topic, partition, 0, high)) records.push(...batch);
  return records;
}

const feeds = ["north", "south", "east", "west", "centre"];
function unit(feed: string, number: number): ReceivedUnit {
  const patient = intake.surrogate("patient", feed, "MR", String(number % 7));
  const bytes = Buffer.from(`${feed} message ${number}`);
  return {
    entry: "UNIT",
    partner: feed,
    feed,
    format: "ADT^A08",
    bytes,
    verdict: number % 10 === 9 ? { accepted: false, code: "PID_MISSING", location: "PID" } : { accepted: true },
    answer: ({ accepted }) => (accepted ? "AA" : "AE"),
    controlId: { scope: [feed], value: String(number) },
    identity: { rule: "EVERY", parts: [feed, bytes] },
    sealFor: [patient],
    events: [
      {
        type: "PatientUpdated",
        subject: patient,
        time: number,
        fields: { facility: feed, birthYear: number },
        sealed: { familyName: "Doe" },
        sealFor: patient,
      },
    ],
  };
}

describe("from a unit to its topic, on a real log", () => {
  it("gives a consumer every event once, in the order of its feed, while publishers come and go", async () => {
    const perFeed = 100;
    const submitAll = () =>
      Promise.all(
        feeds.map(async (feed) => {
          for (let number = 0; number < perFeed; number += 5) {
            await intake.submit(Array.from({ length: 5 }, (_, index) => unit(feed, number + index)));
          }
        }),
      );
    const first = await start();
    const second = await start();
    await submitAll();
    await counted(150);
    await stop(first);
    const third = await start();
    // The whole day once more: a resend changes nothing.
    await submitAll();
    const counts = await counted(2 * feeds.length * perFeed);
    expect(failures).toEqual([]);
    expect(counts).toMatchObject({
      units: 1_000,
      accepted: 900,
      rejected: 100,
      resends: 450,
      reusedIds: 0,
      events: 450,
    });
    await stop(second);
    await stop(third);

    const order = new Map<string, number[]>();
    for (const partition of [0, 1]) {
      for (const { record } of consume(await eventsOf(partition))) {
        const { event } = kafka.codec.decodeEvent(record.value as Buffer) as {
          event: { facility: string; birthYear: number; meta: { subject: string } };
        };
        const key = `${event.facility} ${event.meta.subject}`;
        order.set(key, [...(order.get(key) ?? []), event.birthYear]);
      }
    }
    const expected = new Map<string, number[]>();
    for (const feed of feeds) {
      for (let number = 0; number < perFeed; number += 1) {
        if (number % 10 === 9) continue;
        const key = `${feed} ${intake.surrogate("patient", feed, "MR", String(number % 7))}`;
        expected.set(key, [...(expected.get(key) ?? []), number]);
      }
    }
    expect(order).toEqual(expected);
  });

  it("lists the journal with hashes of the exact bytes, verdicts and resends, for who may open it", async () => {
    const source = { log: kafka.log, pool: database.pool, codec: kafka.codec };
    const listed = [];
    for await (const entry of listEntries({ ...source, vault, filter: { partner: "north" } })) listed.push(entry);
    expect(listed).toHaveLength(200);
    expect(listed.filter(({ accepted }) => !accepted)).toHaveLength(20);
    expect(listed.filter(({ resendOf }) => resendOf)).toHaveLength(90);
    const sha256 = createHash("sha256").update("north message 42").digest("hex");
    const [one, again] = listed.filter(({ unitSha256 }) => unitSha256 === sha256);
    expect(one).toMatchObject({ controlId: "42", accepted: true, resendOf: null, events: 1, answer: "AA" });
    expect(again).toMatchObject({ resendOf: { partition: one?.partition, offset: one?.offset }, events: 0 });

    await vault.destroy([intake.surrogate("patient", "north", "MR", "0")]);
    const closed = [];
    for await (const { unitSha256 } of listEntries({ ...source, vault, filter: { partner: "north" } })) {
      if (unitSha256 === null) closed.push(unitSha256);
    }
    expect(closed).toHaveLength(2 * Array.from({ length: 100 }, (_, n) => n).filter((n) => n % 7 === 0).length);
    for await (const { unitSha256, controlId } of listEntries(source))
      expect([unitSha256, controlId]).toEqual([null, null]);
  });

  it("tells one reception that was journalled twice from a unit that was sent twice", async () => {
    const source = { log: kafka.log, pool: database.pool, codec: kafka.codec, filter: { partner: "ocean" } };
    const listing = async () => {
      const listed: ListedEntry[] = [];
      for await (const entry of listEntries(source)) listed.push(entry);
      return listed;
    };
    const before = await intakeCounts(database.pool);
    const publisher = await start();
    const sent = unit("ocean", 1);
    await intake.submit([sent]);
    const [{ partition = 0, offset = 0 } = {}] = await listing();
    // A broker that took the record and died before it said so: the producer appends it once more.
    const producer = await kafka.log.producer();
    for await (const [record] of kafka.log.read(journalTopic, partition, offset, offset + 1))
      await producer.append([{ topic: journalTopic, partition, key: "ocean", value: record?.value as Buffer }]);
    // The partner had no answer, and sends it again.
    await intake.submit([sent]);
    const counts = await counted(before.units + 3);
    await stop(publisher);
    await producer.close();
    expect(counts).toMatchObject({ resends: before.resends + 2, events: before.events + 1 });
    expect(await listing()).toMatchObject([
      { resendOf: null, journalledAgain: false, events: 1 },
      { resendOf: { partition, offset }, journalledAgain: true, events: 0 },
      { resendOf: { partition, offset }, journalledAgain: false, events: 0 },
    ]);
  });

  it("answers from the ledger what was published before", async () => {
    const parts = (text: string) => ["north", Buffer.from(text)];
    expect(
      await intake.known([
        { rule: "EVERY", parts: parts("north message 1") },
        { rule: "EVERY", parts: parts("north message 1000") },
        { rule: "EVERY", parts: parts("north message 9") },
      ]),
    ).toEqual([true, false, false]);
  });
});
