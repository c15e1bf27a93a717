import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { kafkaClient } from "../log/connection.js";
import type { IncomingRecord, Log } from "../log/log.js";
import { createLogger } from "../service/logger.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type FreshLog, freshLog } from "../testing/log.js";
import { memoryLog } from "../testing/memory-log.js";
import { notaryKey } from "./checkpoint.js";
import { type RunningNotary, startNotary } from "./notary.js";
import { SecondPlace } from "./second-place.js";
import { type VerifyOptions, verifyLog } from "./verify.js";

const key = notaryKey("ab".repeat(32));
const journal = "00000000-0000-4000-8000-000000000002";
const topic = "health.claim.events";
const logger = createLogger("spec", "silent");
let database: FreshDatabase;
let kafka: FreshLog;
let folder: string;
let running: RunningNotary | undefined;
const failures: Error[] = [];

beforeAll(async () => {
  [database, kafka] = await Promise.all([freshDatabase(), freshLog()]);
  folder = mkdtempSync(join(tmpdir(), "tributary-notary-"));
});
afterAll(async () => {
  await running?.close();
  await Promise.all([database?.drop(), kafka?.drop()]);
  if (folder) rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await stop();
  failures.length = 0;
  rmSync(folder, { recursive: true, force: true });
  await database.pool.query(
    "TRUNCATE engine.notary_chain, engine.notary_checkpoints, engine.notary_lanes, engine.notary_subtrees",
  );
});

async function stop(): Promise<void> {
  await running?.close();
  running = undefined;
}

async function notarize(log: Pick<Log, "subscribe" | "read">): Promise<void> {
  running = await startNotary({
    definition: { name: "notary", notarize: { topics: [topic] } },
    log,
    pool: database.pool,
    journal,
    key,
    second: new SecondPlace(folder),
    logger,
    signMilliseconds: 1,
    onFailure: (error) => failures.push(error),
  });
}

const signed = async (): Promise<number> =>
  (await database.pool.query("SELECT coalesce(max(signed_size), 0)::int AS size FROM engine.notary_lanes")).rows[0]
    .size;
const untilSigned = (size: number) => expect.poll(signed, { timeout: 20_000, interval: 20 }).toBe(size);

const verify = (log: VerifyOptions["log"], options: Partial<VerifyOptions> = {}) =>
  verifyLog({
    log,
    pool: database.pool,
    second: new SecondPlace(folder),
    journal,
    topics: [topic],
    keys: [key.publicKey],
    ...options,
  });

/** A record, an aborted transaction of two, one that was committed, and a last record. */
async function appendAroundTransactions({ log, settings }: FreshLog): Promise<void> {
  const name = `${settings.TOPIC_PREFIX}${topic}`;
  const plain = await log.producer();
  await plain.append([{ topic, partition: 0, key: "k", value: Buffer.from("before") }]);
  const producer = kafkaClient(settings, "spec", logger).producer({
    transactionalId: `${name}-spec`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  for (const isKept of [false, true]) {
    const transaction = await producer.transaction();
    const messages = ["one", "two"].map((value) => ({ key: "k", value, partition: 0 }));
    await transaction.send({ topic: name, messages: isKept ? messages.slice(1) : messages });
    await (isKept ? transaction.commit() : transaction.abort());
  }
  await producer.disconnect();
  // The broker writes the end after it has answered.
  await expect.poll(async () => (await log.watermarks(topic))[0]?.high, { timeout: 10_000 }).toBe(6);
  await plain.append([{ topic, partition: 0, key: "k", value: Buffer.from("after") }]);
  await plain.close();
}

/** The log with other records in the partition. */
const withRecords = (records: readonly IncomingRecord[], high: number): VerifyOptions["log"] => ({
  async watermarks() {
    return [{ partition: 0, low: 0, high }];
  },
  async *read() {
    yield records;
  },
});

it("passes over offsets without a record, and finds what is put there or taken from beside them", async () => {
  await appendAroundTransactions(kafka);
  await notarize(kafka.log);
  // 0, 4 and 6 are records, 1 to 3 are the aborted ones and their end, 5 is the end of the other transaction.
  await untilSigned(7);
  await stop();
  expect(failures).toEqual([]);
  expect(await verify(kafka.log, { exportMilliseconds: 0 })).toMatchObject({ ok: true, first: null, behind: null });
  const records: IncomingRecord[] = [];
  for await (const some of kafka.log.read(topic, 0, 0, 7)) records.push(...some);
  expect(records.map(({ offset }) => offset)).toEqual([0, 4, 6]);
  const [first, middle, last] = records as [IncomingRecord, IncomingRecord, IncomingRecord];
  const found = async (...given: IncomingRecord[]) => (await verify(withRecords(given, 7))).first;
  expect(await found(first, middle, last)).toBeNull();
  for (const offset of [1, 3, 5]) {
    const put = { offset, timestamp: middle.timestamp, key: "k", value: Buffer.from("put"), headers: {} };
    const given = [...records, put].sort((one, other) => one.offset - other.offset);
    const finding = await found(...given);
    expect(finding, `${offset}`).toMatchObject({ offset, what: "record changed" });
    expect(finding?.detail).toContain("there was no record here");
  }
  for (const gone of records) {
    const finding = await found(...records.filter((record) => record !== gone));
    expect(finding, `${gone.offset}`).toMatchObject({ offset: gone.offset, what: "record missing" });
  }
}, 60_000);

it("says of a notary that stands still that it is behind, and of one that only has not come to it yet nothing", async () => {
  const log = memoryLog({ partitions: 1 });
  const write = async () => {
    const producer = await log.producer();
    await producer.append(["a", "b"].map((value) => ({ topic, partition: 0, key: "k", value: Buffer.from(value) })));
  };
  await write();
  await notarize(log);
  await untilSigned(2);
  await stop();
  const appendedAt = Date.now() - 3_600_000;
  log.clock = () => appendedAt;
  await write();
  expect(await verify(log, { unseenMilliseconds: 7_200_000 })).toMatchObject({ ok: true, behind: null });
  expect(await verify(log)).toMatchObject({ ok: true, behind: { topic, partition: 0, offset: 2, appendedAt } });
});

it("chains nothing to a topic that was made anew, and is longer by now", async () => {
  const log = memoryLog({ partitions: 1 });
  const append = async (to: Log, count: number, text: string) => {
    const producer = await to.producer();
    await producer.append(
      Array.from({ length: count }, (_, index) => ({
        topic,
        partition: 0,
        key: "k",
        value: Buffer.from(text + index),
      })),
    );
  };
  await append(log, 5, "old");
  await notarize(log);
  await untilSigned(5);
  await stop();
  const anew = memoryLog({ partitions: 1 });
  await append(anew, 9, "new");
  await notarize(anew);
  await expect.poll(() => failures[0], { timeout: 5_000 }).toMatchObject({ code: "TRIB_LOG_REPLACED" });
  expect((await database.pool.query("SELECT count(*)::int AS rows FROM engine.notary_chain")).rows[0].rows).toBe(5);
});

it("fills no folder that isn't its own: one that is gone is told of, until somebody begins another", async () => {
  const log = memoryLog({ partitions: 1 });
  const write = async (value: string) => {
    const producer = await log.producer();
    await producer.append([{ topic, partition: 0, key: "k", value: Buffer.from(value) }]);
  };
  await write("a");
  await notarize(log);
  await untilSigned(1);
  await expect.poll(() => new SecondPlace(folder).sizes({ journal, topic, partition: 0 })).toEqual([1]);
  // Gone while it runs: the chain goes on, and nothing is written in the place where the folder was.
  renameSync(folder, `${folder}-elsewhere`);
  await write("b");
  await untilSigned(2);
  expect(await new SecondPlace(folder).isOf(journal)).toBe(false);
  await stop();
  await expect(notarize(log)).rejects.toMatchObject({ code: "TRIB_AUDIT_SECOND_PLACE_GONE" });
  renameSync(`${folder}-elsewhere`, folder);
  await notarize(log);
  await write("c");
  await untilSigned(3);
  await stop();
  expect(await verify(log, { exportMilliseconds: 0 })).toMatchObject({ ok: true });
  rmSync(folder, { recursive: true });
  await expect(notarize(log)).rejects.toMatchObject({ code: "TRIB_AUDIT_SECOND_PLACE_GONE" });
  await new SecondPlace(folder).begin(journal);
  await notarize(log);
  await expect
    .poll(async () => (await verify(log, { exportMilliseconds: 0 })).partitions[0]?.witnessed, { timeout: 5_000 })
    .toBe(3);
});
