import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AppendLimits,
  type AppendReply,
  appendVerified,
  type PartitionBatch,
  type PlacedRecord,
} from "./append.js";

const limits: AppendLimits = { partitionRecords: 3, partitionBytes: 1_000, requestRecords: 7, requestBytes: 5_000 };
const far = (): number => Date.now() + 60_000;
const always = (): boolean => true;

function record(partition: number, text: string, bytes = 1): PlacedRecord {
  return { topic: "t", partition, key: text, value: Buffer.alloc(bytes) };
}

/** Partitions that append what they get, with replies and failures as a script says. */
class Brokers {
  readonly stored = new Map<number, string[]>();
  readonly requests: (readonly PartitionBatch[])[] = [];
  /** What happens to a partition's batch: stored and told, stored and left out, not stored and left out. */
  fate: (partition: number, request: number) => "told" | "stored" | "lost" | "error" = () => "told";
  /** Whether the request as a whole fails after its batches met their fate. */
  breaks: (request: number) => boolean = () => false;

  send = async (batches: readonly PartitionBatch[]): Promise<readonly AppendReply[]> => {
    const request = this.requests.push(batches);
    const replies: AppendReply[] = [];
    for (const { topic, partition, records } of batches) {
      const fate = this.fate(partition, request);
      const stored = this.stored.get(partition) ?? [];
      this.stored.set(partition, stored);
      const baseOffset = stored.length;
      if (fate === "told" || fate === "stored") stored.push(...records.map(({ key }) => key));
      if (fate === "told") replies.push({ topic, partition, errorCode: 0, baseOffset });
      if (fate === "error") replies.push({ topic, partition, errorCode: 6, baseOffset: -1 });
    }
    if (this.breaks(request)) throw new Error("connection lost");
    return replies;
  };
}

const run = (brokers: Brokers, records: readonly PlacedRecord[], deadline = far(), retriable = always) =>
  appendVerified(records, { send: brokers.send, retriable, deadline, limits, backoff: () => 0 });

describe("verified appends", () => {
  it("splits by partition, count and bytes, and keeps the order", async () => {
    const brokers = new Brokers();
    const records = [
      ...Array.from({ length: 8 }, (_, index) => record(0, `a${index}`)),
      record(1, "large", 4_000),
      record(1, "small"),
    ];
    const appended = await run(brokers, records);
    for (const batches of brokers.requests) {
      expect(batches.reduce((sum, batch) => sum + batch.records.length, 0)).toBeLessThanOrEqual(7);
      for (const batch of batches) expect(batch.records.length).toBeLessThanOrEqual(3);
      expect(new Set(batches.map(({ partition }) => partition)).size).toBe(batches.length);
    }
    expect(brokers.stored.get(0)).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]);
    expect(brokers.stored.get(1)).toEqual(["large", "small"]);
    expect(appended.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
  });

  it("sends again what a reply that came left out: a leader that moved", async () => {
    const brokers = new Brokers();
    brokers.fate = (partition, request) => (request === 1 && partition === 1 ? "lost" : "told");
    const appended = await run(brokers, [record(0, "a"), record(1, "b"), record(1, "c")]);
    expect(appended).toEqual([
      { topic: "t", partition: 0, offset: 0 },
      { topic: "t", partition: 1, offset: 0 },
      { topic: "t", partition: 1, offset: 1 },
    ]);
    expect(brokers.stored.get(0)).toEqual(["a"]);
  });

  it("sends again a partition whose reply has an error or no offset", async () => {
    const brokers = new Brokers();
    brokers.fate = (_, request) => (request === 1 ? "error" : "told");
    await run(brokers, [record(0, "a")]);
    expect(brokers.requests).toHaveLength(2);
  });

  it("holds back the slices after one in doubt", async () => {
    const brokers = new Brokers();
    brokers.fate = (_, request) => (request === 1 ? "stored" : "told");
    await run(
      brokers,
      Array.from({ length: 5 }, (_, index) => record(0, `${index}`)),
    );
    expect(brokers.stored.get(0)).toEqual(["0", "1", "2", "0", "1", "2", "3", "4"]);
  });

  it("gives up at the deadline with the last failure, and at once when repetition mends nothing", async () => {
    const brokers = new Brokers();
    brokers.breaks = () => true;
    await expect(run(brokers, [record(0, "a")], Date.now() + 30)).rejects.toThrow("connection lost");
    const other = new Brokers();
    other.breaks = () => true;
    await expect(run(other, [record(0, "a")], far(), () => false)).rejects.toThrow("connection lost");
    expect(other.requests).toHaveLength(1);
  });

  it("needs no request for nothing", async () => {
    const brokers = new Brokers();
    expect(await run(brokers, [])).toEqual([]);
    expect(brokers.requests).toEqual([]);
  });

  it("leaves each partition an in-order sequence with repeated stretches and no gap, whatever fails", async () => {
    const fates = fc.array(fc.constantFrom("told", "stored", "lost", "error") as fc.Arbitrary<"told">, {
      maxLength: 40,
    });
    const breaks = fc.array(fc.boolean(), { maxLength: 10 });
    const partitions = fc.array(fc.nat(2), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(partitions, fates, breaks, async (places, script, broken) => {
        const brokers = new Brokers();
        let step = 0;
        brokers.fate = () => script[step++] ?? "told";
        brokers.breaks = (request) => broken[request] ?? false;
        const records = places.map((partition, index) => record(partition, `${index}`));
        const appended = await run(brokers, records);
        for (const [partition, stored] of brokers.stored) {
          const sent = records.filter((each) => each.partition === partition).map(({ key }) => key);
          let highest = -1;
          for (const key of stored) {
            const place = sent.indexOf(key);
            expect(place).toBeLessThanOrEqual(highest + 1);
            highest = Math.max(highest, place);
          }
          expect(highest).toBe(sent.length - 1);
        }
        appended.forEach(({ partition, offset }, index) => {
          expect(brokers.stored.get(partition)?.[offset]).toBe(`${index}`);
        });
      }),
    );
  });
});
