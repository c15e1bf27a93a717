import { afterAll, beforeAll, expect, it } from "vitest";
import visits from "../consumers/visits/consumer.js";
import { type OriginsReport, verifyOrigins } from "../engine/audit/verify-origins.js";
import { engineRecord } from "../engine/intake/engine-entry.js";
import { contentHash, keyedHash } from "../engine/intake/keyed-hash.js";
import { startPublisher } from "../engine/intake/publisher.js";
import { acceptPartitions, addedPartitions, assertPartitions } from "../engine/intake/topic-partitions.js";
import { kafkaClient } from "../engine/log/connection.js";
import { connectLog } from "../engine/log/kafka.js";
import type { Log } from "../engine/log/log.js";
import { formatPosition, positionHeader } from "../engine/log/position.js";
import { journalTopic } from "../engine/log/schemas.js";
import { createBuild } from "../engine/projector/build.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import { fillBuild } from "../engine/replay/fill.js";
import { decoderOf } from "../engine/service/decoder.js";
import { createLogger } from "../engine/service/logger.js";
import { closedOpener } from "../engine/service/sealed-opener.js";
import { type FreshDatabase, freshDatabase } from "../engine/testing/database.js";
import { type FreshLog, freshLog } from "../engine/testing/log.js";

const topic = "health.visit.events";
const logger = createLogger("spec", "silent");
let kafka: FreshLog;
let database: FreshDatabase;
/** A process that is started anew knows a topic as it is now. */
let anew: Log;
let before = 0;

beforeAll(async () => {
  [kafka, database] = await Promise.all([freshLog(), freshDatabase()]);
  before = (await kafka.log.watermarks(topic)).length;
});
afterAll(async () => {
  await anew?.close();
  await Promise.all([kafka?.drop(), database?.drop()]);
});

async function addTo(count: number): Promise<void> {
  const admin = kafkaClient(kafka.settings, "spec", logger).admin();
  await admin.connect();
  const name = `${kafka.settings.TOPIC_PREFIX}${topic}`;
  await admin.createPartitions({ topicPartitions: [{ topic: name, count }] });
  await admin.disconnect();
  await anew?.close();
  anew = connectLog(kafka.settings, { clientId: "spec", logger });
  await expect.poll(async () => (await anew.watermarks(topic)).length).toBe(count);
}

async function published(log: Log): Promise<void> {
  const { codec, journal } = kafka;
  const publisher = await startPublisher({ log, pool: database.pool, codec, journal, onFailure: () => {} });
  await publisher.close();
}

async function filled(log: Log): Promise<void> {
  const [projection] = visits.project as [AnyProjection];
  const build = await createBuild(database.pool, projection, "visits", "rebuild");
  const decoder = decoderOf(kafka.codec);
  await fillBuild({ projection, build, log, pool: database.pool, decoder, opener: closedOpener, logger });
}

const visit = (number: number) => `00000000-0000-0000-0000-${String(number).padStart(12, "0")}`;
const started = (number: number, partition?: number) => ({
  topic,
  ...(partition === undefined ? {} : { partition }),
  key: visit(number),
  value: kafka.codec.encodeEvent("VisitStarted", {
    meta: { id: `e${number}`, source: "north", time: 1_000, subject: visit(number), connector: "spec" },
    facility: "NORTH",
    authority: "NORTH",
    class: "I",
    admission: "ADMITTED",
  } as never),
  headers: {
    [positionHeader]: formatPosition({
      journal: kafka.journal,
      partition: 0,
      offset: number,
      index: 0,
      recordedAt: 1_700_000_000_000,
    }),
  },
});

/** Has sixty visits published from the journal, and looks whether each is where it is to be. */
async function originsOfSixty(log: Log): Promise<OriginsReport> {
  const { pool } = database;
  const { codec, journal } = kafka;
  const events = Array.from({ length: 60 }, (_, number) => started(number + 1)).map(({ key, value }) => {
    return { topic, key, id: `e${key}`, type: "VisitStarted", value };
  });
  const entry = { receiptId: "r", receivedAt: 0, partner: "north", feed: "north", connector: "spec" };
  const hash = keyedHash("0".repeat(64));
  const context = { codec, hash, contentHash: contentHash("0".repeat(64)) };
  const record = engineRecord({ ...entry, connectorVersion: "1", format: "SPEC", identity: ["r"], events }, context);
  const producer = await log.producer(await assertPartitions(log, pool, [journalTopic]));
  await producer.append([record]);
  await producer.close();
  const publisher = await startPublisher({ log, pool, codec, journal, onFailure: () => {} });
  const count = async () => (await log.watermarks(topic)).reduce((sum, { high }) => sum + high, 0);
  await expect.poll(count, { timeout: 30_000 }).toBe(60);
  await publisher.close();
  return verifyOrigins({ log, pool, codec, journal });
}

it("partitions that were added stop whoever starts, until an operator goes on without them", async () => {
  await published(kafka.log);
  await addTo(before + 2);
  const changed = { code: "TRIB_LOG_PARTITIONS_CHANGED", facts: { topic, before, count: before + 2 } };
  await expect(published(anew)).rejects.toMatchObject(changed);
  await expect(filled(anew)).rejects.toMatchObject(changed);
  const added = await addedPartitions(anew, database.pool);
  expect(added).toEqual([{ topic, keyed: before, present: before, count: before + 2 }]);
  for (const one of added) await acceptPartitions(anew, database.pool, one);
  await published(anew);
  await filled(anew);
  expect(await originsOfSixty(anew)).toMatchObject({ ok: true, events: 60, strays: 0, missing: 0 });
  // Keys stay where they were.
  const producer = await anew.producer(await assertPartitions(anew, database.pool, [topic]));
  await producer.append(Array.from({ length: 60 }, (_, number) => started(number + 1)));
  const ends = (await anew.watermarks(topic)).map(({ high }) => high);
  expect(ends.slice(before)).toEqual([0, 0]);
  expect(ends.slice(0, before).every((end) => end > 0)).toBe(true);

  // Once keys have moved nobody can go on, and it is said what is wrong.
  await producer.append([started(1, before + 1)]);
  await producer.close();
  await expect(filled(anew)).rejects.toMatchObject({ code: "TRIB_LOG_PARTITIONS_CHANGED" });
  await addTo(before + 3);
  const [again] = await addedPartitions(anew, database.pool);
  const moved = { code: "TRIB_LOG_PARTITIONS_CHANGED", facts: { partition: before + 1 } };
  await expect(acceptPartitions(anew, database.pool, again as NonNullable<typeof again>)).rejects.toMatchObject(moved);
}, 60_000);
