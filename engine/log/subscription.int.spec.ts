import kafkajs, { type Kafka } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLogger } from "../service/logger.js";
import { kafkaClient } from "./connection.js";
import type { LaneHandler, Subscription } from "./log.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";
import { subscribe } from "./subscription.js";

/** No gap comes up here that would have to be looked into. */
const cluster = () => Promise.reject(new Error("not asked for"));
let own: OwnTopics;
let kafka: Kafka;
const logger = createLogger("spec", "silent");

beforeAll(async () => {
  own = await ownTopics();
  kafka = kafkaClient(own.settings, "spec", logger);
});
afterAll(() => own.dispose());

/** A subscription that looks at its topics often, the first batch it handles, and the failure that ends it. */
async function watched(topic: string, start = 0) {
  const admin = kafka.admin();
  await admin.connect();
  let failed: (error: Error) => void = () => undefined;
  let opened: () => void = () => undefined;
  const failure = new Promise<Error>((resolve) => {
    failed = resolve;
  });
  const open = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const lane = (): LaneHandler => ({
    open: async () => start,
    batch: async () => opened(),
    close: async () => undefined,
  });
  const subscription: Subscription = await subscribe(
    { group: `g-${topic}`, topics: [topic], lane, onFailure: failed },
    { kafka, admin, cluster, prefix: own.settings.TOPIC_PREFIX, logger, watchMilliseconds: 200 },
  );
  const end = async (): Promise<void> => {
    await subscription.close();
    await admin.disconnect();
  };
  return { failure, open, subscription, end };
}

async function append(topic: string, count: number): Promise<void> {
  const producer = await own.log.producer();
  await producer.append(
    Array.from({ length: count }, () => ({ topic, partition: 0, key: "k", value: Buffer.from("v") })),
  );
  await producer.close();
}

describe("a subscription ends loudly", () => {
  it("when a topic vanishes", async () => {
    await own.create("vanishing", 1);
    await append("vanishing", 1);
    const { failure, open, subscription, end } = await watched("vanishing");
    await open;
    await own.remove("vanishing");
    expect(await failure).toMatchObject({ code: "TRIB_LOG_TOPIC_MISSING" });
    await end();
    expect(subscription.assignment()).toEqual([]);
  });

  it("when partitions are added", async () => {
    await own.create("growing", 1);
    await append("growing", 1);
    const { failure, open, end } = await watched("growing");
    await open;
    const topic = `${own.settings.TOPIC_PREFIX}growing`;
    await own.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    expect(await failure).toMatchObject({ code: "TRIB_LOG_PARTITIONS_CHANGED", facts: { before: 1, count: 2 } });
    await end();
  });

  it("when a topic is made anew and shorter than what was read", async () => {
    await own.create("renewed", 1);
    await append("renewed", 5);
    const { failure, open, end } = await watched("renewed");
    await open;
    await own.remove("renewed");
    await own.create("renewed", 1);
    await append("renewed", 2);
    const error = await failure;
    // Which of the two is seen depends on when the topic was looked at.
    expect(["TRIB_LOG_TRUNCATED", "TRIB_LOG_TOPIC_MISSING"]).toContain((error as { code?: string }).code);
    await end();
  });

  it("when the library crashes for good", async () => {
    const { CompressionCodecs, CompressionTypes } = kafkajs;
    const gzip = CompressionCodecs[CompressionTypes.GZIP];
    await own.create("crashing", 1, { "compression.type": "gzip" });
    await append("crashing", 1);
    CompressionCodecs[CompressionTypes.GZIP] = () => ({
      compress: () => Promise.reject(new TypeError("of the spec")),
      decompress: () => Promise.reject(new TypeError("of the spec")),
    });
    try {
      const { failure, subscription, end } = await watched("crashing");
      expect(await failure).toMatchObject({ code: "TRIB_LOG_SUBSCRIPTION_FAILED", facts: { group: "g-crashing" } });
      expect(subscription.assignment()).toEqual([]);
      await end();
    } finally {
      CompressionCodecs[CompressionTypes.GZIP] = gzip;
    }
  });
});

describe("a long batch", () => {
  it("keeps its membership for longer than the session", async () => {
    await own.create("long", 1);
    await append("long", 1);
    const happened: string[] = [];
    let finish: (offset: number) => void = () => undefined;
    const handled = (): Promise<number> =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const failures: Error[] = [];
    const subscription = await own.log.subscribe({
      group: "long",
      topics: ["long"],
      lane: () => ({
        open: async () => {
          happened.push("open");
          return 0;
        },
        batch: async (records, context) => {
          // Longer than the session's 12 seconds: only heartbeats beside the work keep the member in the group.
          if (records[0]?.offset === 0) await new Promise((resolve) => setTimeout(resolve, 14_000));
          happened.push(context.isOwned() ? "owned" : "lost");
          finish(records.at(-1)?.offset ?? -1);
        },
        close: async () => {
          happened.push("close");
        },
      }),
      onFailure: (error) => failures.push(error),
    });
    expect(await handled()).toBe(0);
    const next = handled();
    await append("long", 1);
    expect(await next).toBe(1);
    await subscription.close();
    // Thrown out of the group, the lane would have been closed and opened anew in between.
    expect(happened).toEqual(["open", "owned", "owned", "close"]);
    expect(failures).toEqual([]);
  });
});
