import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { quietIdleConnections } from "./kafkajs-idle.js";
import { assertKafkajsVersion } from "./kafkajs-internals.js";
import { murmur2, partitionOf } from "./murmur2.js";

const require = createRequire(import.meta.url);

describe("the installed kafkajs", () => {
  it("is the version that engine/log was checked with", () => {
    expect(assertKafkajsVersion).not.toThrow();
  });

  it("arms no timer for an idle connection, and one while requests wait", () => {
    quietIdleConnections();
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js") as new (
      options: object,
    ) => { checkPendingRequests(): void; push(request: object): void; destroy(): void; readonly pending: unknown[] };
    vi.useFakeTimers();
    try {
      const logger = { debug: () => undefined, warn: () => undefined };
      const queue = new RequestQueue({
        maxInFlightRequests: 1,
        requestTimeout: 1_000,
        logger,
        clientId: "c",
        broker: "b",
      });
      queue.checkPendingRequests();
      expect(vi.getTimerCount()).toBe(0);
      const sent: number[] = [];
      for (const correlationId of [1, 2]) {
        const entry = { correlationId, resolve: () => undefined, reject: () => undefined };
        queue.push({ entry, expectResponse: true, sendRequest: () => sent.push(correlationId) });
      }
      expect(sent).toEqual([1]);
      expect(queue.pending).toHaveLength(1);
      expect(vi.getTimerCount()).toBe(1);
      queue.destroy();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("murmur2", () => {
  it("is what the Java client computes", () => {
    // From Kafka's own UtilsTest.
    expect(murmur2(Buffer.from("21"))).toBe(-973932308);
    expect(murmur2(Buffer.from("foobar"))).toBe(-790332482);
    expect(murmur2(Buffer.from("a-little-bit-long-string"))).toBe(-985981536);
    expect(murmur2(Buffer.from("a-little-bit-longer-string"))).toBe(-1486304829);
    expect(murmur2(Buffer.from("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"))).toBe(-58897971);
    expect(murmur2(Buffer.from("abc"))).toBe(479470107);
  });

  it("chooses the partition that the library would", () => {
    const theirs = require("kafkajs/src/producer/partitioners/default/murmur2.js") as (key: Buffer) => number;
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 50 }), (key, partitions) => {
        const hash = theirs(Buffer.from(key));
        expect(partitionOf(key, partitions)).toBe((hash & 0x7fffffff) % partitions);
      }),
    );
  });
});
