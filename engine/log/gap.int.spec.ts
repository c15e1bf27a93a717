import { afterAll, beforeAll, expect, it } from "vitest";
import { createLogger } from "../service/logger.js";
import { kafkaClient } from "./connection.js";
import { holdsRecords } from "./gap.js";
import { createCluster } from "./kafkajs-internals.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";

const logger = createLogger("spec", "silent");
let own: OwnTopics;

beforeAll(async () => {
  own = await ownTopics();
  await own.create("foreign", 1);
});
afterAll(() => own.dispose());

/** Two records and their end, an aborted one and its end, three ends of nothing but aborted ones, one record and its end. */
async function appendInTransactions(topic: string): Promise<void> {
  const kafka = kafkaClient(own.settings, "spec", logger);
  const producer = kafka.producer({ transactionalId: `${topic}-spec`, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const { count, isKept } of [
    { count: 2, isKept: true },
    { count: 1, isKept: false },
    { count: 3, isKept: false },
    { count: 1, isKept: true },
  ]) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: Array.from({ length: count }, () => ({ key: "k", value: "v" })) });
    await (isKept ? transaction.commit() : transaction.abort());
  }
  await producer.disconnect();
}

it("tells records from the broker's own and from aborted ones, and a consumer passes over these once", async () => {
  const topic = `${own.settings.TOPIC_PREFIX}foreign`;
  await appendInTransactions(topic);
  const cluster = createCluster(kafkaClient(own.settings, "spec", logger));
  await cluster.connect();
  const parts = { cluster: async () => cluster, logger };
  const holds = (from: number, to: number) => holdsRecords(topic, 0, from, to, parts);
  // 0 1 are records and 2 their end, 3 to 8 are aborted ones with their ends, 9 is a record and 10 its end.
  expect([await holds(0, 1), await holds(1, 3), await holds(2, 3)]).toEqual([true, true, false]);
  expect([await holds(2, 9), await holds(3, 5), await holds(8, 10)]).toEqual([false, false, true]);
  expect(await holdsRecords(topic, 0, 2, 3, { cluster: () => Promise.reject(new Error("away")), logger })).toBe(true);
  await cluster.disconnect();

  const seen: number[] = [];
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const subscription = await own.log.subscribe({
    group: "foreign",
    topics: ["foreign"],
    lane: () => ({
      open: async () => 0,
      batch: async (records) => {
        seen.push(...records.map(({ offset }) => offset));
        if (seen.includes(9)) finish();
      },
      close: async () => undefined,
    }),
    onFailure: (error) => {
      throw error;
    },
  });
  await finished;
  await subscription.close();
  expect(seen).toEqual([0, 1, 9]);
}, 60_000);
