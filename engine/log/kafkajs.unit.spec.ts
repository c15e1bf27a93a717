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
    const limits = { connectionTimeout: 1_000, requestTimeout: 1_000 };
    const pool = new Pool({ host: "127.0.0.1", port, logger: quiet, socketFactory, ...limits });
    await Promise.all([1, 2, 3].map(() => pool.getConnection(1)));
    await pool.destroy();
    await pool.getConnection(1);
    await pool.destroy();
    await Promise.all([...sockets].map((socket) => socket.resume().closed || once(socket, "close")));
    server.close();
    await once(server, "close");
    expect(sockets.size).toBe(2);
  });

  it("reads a reply on a new connection from its beginning, whatever was left of one on the connection before", async () => {
    shareConnecting();
    const correlationId = 0;
    const whole = Buffer.alloc(16);
    whole.writeInt32BE(12, 0);
    whole.writeInt32BE(correlationId + 1, 4);
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      const first = connections === 1;
      socket.on("error", () => {});
      socket.once("data", () => (first ? socket.end(whole.subarray(0, 10)) : socket.write(whole)));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const quiet = { namespace: () => quiet, debug: () => undefined, error: () => undefined, info: () => undefined };
    interface Sender {
      connect(): Promise<boolean>;
      disconnect(): Promise<boolean>;
      send(exchange: object): Promise<unknown>;
    }
    const Connection = require("kafkajs/src/network/connection.js") as new (options: object) => Sender;
    const socketFactory = (require("kafkajs/src/network/socketFactory.js") as () => object)();
    const connection = new Connection({
      host: "127.0.0.1",
      port,
      logger: quiet,
      socketFactory,
      connectionTimeout: 1_000,
      requestTimeout: 2_000,
    });
    const Encoder = require("kafkajs/src/protocol/encoder.js") as new () => object;
    const exchange = {
      request: { apiKey: 18, apiVersion: 0, apiName: "ApiVersions", encode: async () => new Encoder() },
      response: { decode: async (payload: Buffer) => payload, parse: async (payload: Buffer) => payload },
    };
    await connection.connect();
    await expect(connection.send(exchange)).rejects.toThrow("Closed connection");
    await connection.connect();
    expect(await connection.send(exchange)).toEqual(Buffer.alloc(8));
    await connection.disconnect();
    server.close();
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
