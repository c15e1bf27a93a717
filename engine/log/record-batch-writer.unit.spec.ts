import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { crc32c } from "./crc32c.js";
import { encodeProduce } from "./record-batch-writer.js";

const require = createRequire(import.meta.url);

it("sums as RFC 3720 does", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
});

it("encodes a request to append as the library does, byte for byte", async () => {
  type Request = { encode(): Promise<{ readonly buffer: Buffer }> };
  const request = require("kafkajs/src/protocol/requests/produce/v3/request.js") as (given: object) => Request;
  const text = fc.string({ unit: "grapheme", maxLength: 200 });
  const record = fc.record({
    key: text,
    value: fc.uint8Array({ maxLength: 9_000 }).map((bytes) => Buffer.from(bytes)),
    headers: fc.option(fc.dictionary(text, text, { maxKeys: 3 }), { nil: undefined }),
  });
  const partition = fc.record({ partition: fc.nat(30), records: fc.array(record, { minLength: 1, maxLength: 70 }) });
  const topic = fc.record({
    topic: fc.stringMatching(/^[a-z.]{1,20}$/),
    partitions: fc.array(partition, { maxLength: 2 }),
  });
  vi.useFakeTimers({ now: 1_790_000_000_123, toFake: ["Date"] });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(topic, { maxLength: 2 }), async (topics) => {
        const topicData = topics.map(({ topic: name, partitions }) => ({
          topic: name,
          partitions: partitions.map(({ partition: number, records }) => ({ partition: number, messages: records })),
        }));
        // As a producer that isn't idempotent calls it.
        const theirs = await request({ acks: -1, timeout: 20_000, topicData, producerId: -1 }).encode();
        const batched = topics.map(({ topic: name, partitions }) => ({
          topic: name,
          partitions: partitions.map(({ partition: number, records }) => ({
            partition: number,
            records: records.map(({ key, value, headers }) => ({ key, value, ...(headers && { headers }) })),
          })),
        }));
        const ours = encodeProduce(batched, { acks: -1, timeout: 20_000, now: Date.now() });
        expect(ours.equals(theirs.buffer)).toBe(true);
      }),
      { numRuns: 60 },
    );
  } finally {
    vi.useRealTimers();
  }
});
