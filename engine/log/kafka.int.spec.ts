import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IncomingRecord, LaneHandler, Log, OutgoingRecord, Subscription } from "./log.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";

let own: OwnTopics;
let log: Log;

beforeAll(async () => {
  own = await ownTopics();
  log = own.log;
});
afterAll(() => own.dispose());

const record = (topic: string, key: string, text: string, partition?: number): OutgoingRecord => ({
  topic,
  key,
  value: Buffer.from(text),
  headers: { position: `p:${text}` },
  ...(partition === undefined ? {} : { partition }),
});

async function append(records: readonly OutgoingRecord[]) {
  const producer = await log.producer();
  try {
    return await producer.append(records);
  } finally {
    await producer.close();
  }
}

async function readAll(topic: string, partition: number, from = 0, to = Number.MAX_SAFE_INTEGER) {
  const records: IncomingRecord[] = [];
  for await (const batch of log.read(topic, partition, from, to)) records.push(...batch);
  return records;
}

describe("append and read", () => {
  it("tells where every record went, in the order given, and gives it back", async () => {
    await own.create("a", 3, { "message.timestamp.type": "LogAppendTime" });
    const before = Date.now();
    const records = Array.from({ length: 500 }, (_, index) => record("a", `key${index % 7}`, `v${index}`));
    const appended = await append(records);
    expect(appended).toHaveLength(500);
    const read = new Map<number, IncomingRecord[]>();
    for (const partition of [0, 1, 2]) read.set(partition, await readAll("a", partition));
    appended.forEach(({ partition, offset }, index) => {
      const found = read.get(partition)?.[offset];
      expect(found).toMatchObject({ offset, key: `key${index % 7}`, headers: { position: `p:v${index}` } });
      expect(found?.value?.toString()).toBe(`v${index}`);
      expect(found?.timestamp).toBeGreaterThanOrEqual(before - 5_000);
    });
    expect(new Set(appended.map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });

  it("appends more records than one request may carry, in order", async () => {
    await own.create("many", 1);
    const count = 7_001;
    const appended = await append(Array.from({ length: count }, (_, index) => record("many", "k", `${index}`)));
    expect(appended.map(({ offset }) => offset)).toEqual(Array.from({ length: count }, (_, index) => index));
    const texts = (await readAll("many", 0)).map(({ value }) => value?.toString());
    expect(texts).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
  });

  it("appends more bytes than one batch of the topic may have", async () => {
    await own.create("wide", 1, { "max.message.bytes": "1048588" });
    const value = Buffer.alloc(300_000, 1);
    const appended = await append(Array.from({ length: 10 }, () => ({ topic: "wide", key: "k", value })));
    expect(appended.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("says when a record is too large for its topic, and goes on working", async () => {
    const producer = await log.producer();
    const large = { topic: "wide", key: "k", value: Buffer.alloc(2_000_000) };
    await expect(producer.append([large])).rejects.toMatchObject({ code: "TRIB_LOG_RECORD_TOO_LARGE" });
    await expect(producer.append([record("wide", "k", "small")])).resolves.toMatchObject([{ offset: 10 }]);
    await producer.close();
  });

  it("never makes a topic by writing to it or asking for it", async () => {
    await expect(append([record("absent", "k", "v")])).rejects.toMatchObject({ code: "TRIB_LOG_TOPIC_MISSING" });
    await expect(log.watermarks("absent")).rejects.toMatchObject({ code: "TRIB_LOG_TOPIC_MISSING" });
    expect(await own.admin.listTopics()).not.toContain(`${own.settings.TOPIC_PREFIX}absent`);
  });

  it("reads a range, ends at the high watermark, and refuses what is gone or not yet there", async () => {
    expect((await readAll("many", 0, 5, 8)).map(({ offset }) => offset)).toEqual([5, 6, 7]);
    expect(await readAll("many", 0, 8, 8)).toEqual([]);
    expect(await readAll("many", 0, 7_001)).toEqual([]);
    await expect(readAll("many", 0, 7_002)).rejects.toMatchObject({ code: "TRIB_LOG_TRUNCATED" });
    await own.admin.deleteTopicRecords({
      topic: `${own.settings.TOPIC_PREFIX}many`,
      partitions: [{ partition: 0, offset: "10" }],
    });
    expect(await log.watermarks("many")).toEqual([{ partition: 0, low: 10, high: 7_001 }]);
    await expect(readAll("many", 0, 9)).rejects.toMatchObject({ code: "TRIB_LOG_TRUNCATED" });
    expect((await readAll("many", 0, 10, 11)).map(({ offset }) => offset)).toEqual([10]);
  });
});

/** Handlers that note what happens, and tests that wait for it. */
class Witness {
  readonly records: IncomingRecord[] = [];
  readonly happened: string[] = [];
  readonly failures: Error[] = [];
  #waiting: (() => void)[] = [];

  lane(offset: number, batch?: LaneHandler["batch"]): (topic: string, partition: number) => LaneHandler {
    return (_, partition) => ({
      open: async () => {
        this.note(`open ${partition}`);
        return offset;
      },
      batch: async (records, context) => {
        this.records.push(...records);
        await batch?.(records, context);
        this.note(`batch ${partition}`);
      },
      close: async () => this.note(`close ${partition}`),
    });
  }

  note(what: string): void {
    this.happened.push(what);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  fail = (error: Error): void => {
    this.failures.push(error);
    this.note("failure");
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

describe("subscribe", () => {
  let subscription: Subscription | undefined;
  const subscribe = async (
    witness: Witness,
    topic: string,
    lane: (topic: string, partition: number) => LaneHandler,
  ) => {
    subscription = await log.subscribe({ group: `g-${topic}`, topics: [topic], lane, onFailure: witness.fail });
    return subscription;
  };

  it("reads each partition from the offset its lane opened with, whatever the group remembers", async () => {
    await own.create("s", 2);
    await append(Array.from({ length: 20 }, (_, index) => record("s", "k", `${index}`, index % 2)));
    const first = new Witness();
    const running = await subscribe(first, "s", first.lane(4));
    await first.until(() => first.records.length === 12);
    expect(first.records.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual([
      4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9,
    ]);
    expect(running.assignment()).toHaveLength(2);
    await append([record("s", "k", "later", 1)]);
    await first.until(() => first.records.length === 13);
    expect(running.idleMilliseconds()).toBeLessThan(5_000);
    await running.close();
    expect(first.happened.filter((each) => each.startsWith("close")).sort()).toEqual(["close 0", "close 1"]);
    expect(first.failures).toEqual([]);

    const second = new Witness();
    await subscribe(second, "s", second.lane(0));
    await second.until(() => second.records.length === 21);
    await subscription?.close();
  });

  it("hands lanes over to a second member, and opens them there after they are closed here", async () => {
    await own.create("h", 2);
    await append(Array.from({ length: 10 }, (_, index) => record("h", "k", `${index}`, index % 2)));
    const [one, two] = [new Witness(), new Witness()];
    const options = { group: "handover", topics: ["h"] };
    const first = await log.subscribe({ ...options, lane: one.lane(0), onFailure: one.fail });
    await one.until(() => one.records.length === 10);
    const second = await log.subscribe({ ...options, lane: two.lane(5), onFailure: two.fail });
    await two.until(() => two.happened.some((each) => each.startsWith("open")));
    await one.until(() => one.happened.filter((each) => each.startsWith("open")).length === 3);
    expect(one.happened.filter((each) => each.startsWith("close")).sort()).toEqual(["close 0", "close 1"]);
    expect([...first.assignment(), ...second.assignment()].map(({ partition }) => partition).sort()).toEqual([0, 1]);
    await second.close();
    await one.until(() => one.happened.filter((each) => each.startsWith("open")).length === 5);
    await first.close();
    expect([...one.failures, ...two.failures]).toEqual([]);
  });

  it("reads on from where a lane seeks after a batch", async () => {
    await own.create("seek", 1);
    await append([record("seek", "k", "a"), record("seek", "k", "b")]);
    const witness = new Witness();
    let sought = false;
    const running = await subscribe(
      witness,
      "seek",
      witness.lane(0, async (_, context) => {
        if (!sought) context.seek(0);
        sought = true;
        expect(context.highWatermark).toBe(2);
        expect(context.isOwned()).toBe(true);
      }),
    );
    await witness.until(() => witness.records.length >= 4);
    expect(witness.records.map(({ value }) => value?.toString())).toEqual(["a", "b", "a", "b"]);
    await running.close();
  });

  it("fails once, and handles nothing more, when a batch throws", async () => {
    const witness = new Witness();
    const running = await subscribe(
      witness,
      "s",
      witness.lane(0, async () => {
        throw new Error("data of a person");
      }),
    );
    await witness.until(() => witness.failures.length > 0);
    expect(witness.failures[0]).toMatchObject({ code: "TRIB_LOG_SUBSCRIPTION_FAILED" });
    expect(witness.failures[0]?.message).not.toContain("person");
    await running.close();
    expect(witness.failures).toHaveLength(1);
    expect(running.assignment()).toEqual([]);
  });

  it.each([
    ["below what is left", 3],
    ["above what is there", 7_002],
  ])("fails loudly when a checkpoint lies %s", async (_, offset) => {
    const witness = new Witness();
    const running = await subscribe(witness, "many", witness.lane(offset));
    await witness.until(() => witness.failures.length > 0);
    expect(witness.failures[0]).toMatchObject({ code: "TRIB_LOG_TRUNCATED", facts: { topic: "many", offset } });
    expect(witness.records).toEqual([]);
    await running.close();
  });

  it("refuses a topic that isn't there", async () => {
    const witness = new Witness();
    await expect(subscribe(witness, "nowhere", witness.lane(0))).rejects.toMatchObject({
      code: "TRIB_LOG_TOPIC_MISSING",
    });
  });
});
