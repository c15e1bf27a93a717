import { once } from "node:events";
import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { shareConnecting } from "./kafkajs-connect.js";
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

  it("makes one socket for callers that want a connection at the same time, and another after it was closed", async () => {
    shareConnecting();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const quiet = { namespace: () => quiet, debug: () => undefined, error: () => undefined };
    const Pool = require("kafkajs/src/network/connectionPool.js") as new (
      options: object,
    ) => { getConnection(index: number): Promise<object>; destroy(): Promise<void> };
    const socketFactory = (require("kafkajs/src/network/socketFactory.js") as () => object)();
    const pool = new Pool({ host: "127.0.0.1", port, logger: quiet, socketFactory, connectionTimeout: 1_000 });
    await Promise.all([1, 2, 3].map(() => pool.getConnection(1)));
    await pool.destroy();
    await pool.getConnection(1);
    await pool.destroy();
    await Promise.all([...sockets].map((socket) => socket.resume().closed || once(socket, "close")));
    server.close();
    await once(server, "close");
    expect(sockets.size).toBe(2);
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
