import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type ProxiedPool, proxiedPool } from "../testing/store-chaos.js";
import { passed, startTcpProxy, type Treatment, unframed } from "../testing/tcp-proxy.js";
import { openPool, type Pool } from "./pool.js";

const silence = 250;
let database: FreshDatabase;
let proxied: ProxiedPool | undefined;
beforeAll(async () => {
  database = await freshDatabase({ empty: true });
});
afterAll(() => database?.drop());
afterEach(async () => {
  await proxied?.close();
  proxied = undefined;
});

const elapsed = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
};

describe("a pool that gives silent connections up", () => {
  it.each([
    ["a statement", { kind: "swallow" }],
    ["its answer", { kind: "treat reply", reply: { kind: "swallow" } }],
  ] as const)(
    "when the network swallows %s: the error is retriable, and the next statement has another connection",
    async (_, fault) => {
      proxied = await proxiedPool(database.url, {
        pool: { silence, max: 1 },
        statement: ({ text }) => (text === "SELECT 1" ? fault : passed),
      });
      const { pool } = proxied;
      await pool.query("SELECT 2");
      const took = await elapsed(() =>
        expect(pool.query("SELECT 1")).rejects.toMatchObject({
          code: "TRIB_STORE_UNAVAILABLE",
          facts: { reason: "ETIMEDOUT" },
        }),
      );
      expect(took).toBeGreaterThan(silence - 20);
      expect((await pool.query("SELECT 3 AS three")).rows).toEqual([{ three: 3 }]);
    },
  );

  it("within a transaction too, and whoever has the connection can't use it any more", async () => {
    proxied = await proxiedPool(database.url, {
      pool: { silence, max: 1 },
      statement: ({ text }) => (text === "SELECT 1" ? { kind: "swallow" } : passed),
    });
    const client = await proxied.pool.connect();
    await client.query("BEGIN");
    await expect(client.query("SELECT 1")).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    await expect(client.query("ROLLBACK")).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    client.release(true);
    expect((await proxied.pool.query("SELECT 3 AS three")).rows).toEqual([{ three: 3 }]);
  });

  it("but not one on which something moves, however long it takes, nor an idle one", async () => {
    const server = new URL(database.url);
    let treatment: Treatment = passed;
    const proxy = await startTcpProxy({
      host: server.hostname,
      port: Number(server.port || 5432),
      framing: unframed,
      reply: () => treatment,
    });
    server.hostname = "127.0.0.1";
    server.port = String(proxy.port);
    const pool: Pool = openPool(server.href, { applicationName: "spec", max: 1, silence });
    try {
      const backend = async () => (await pool.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
      const first = await backend();
      treatment = { kind: "delay", milliseconds: silence / 4 };
      const took = await elapsed(async () => {
        const { rows } = await pool.query("SELECT repeat('x', 1000) AS x FROM generate_series(1, 1000)");
        expect(rows).toHaveLength(1000);
      });
      expect(took).toBeGreaterThan(2 * silence);
      treatment = passed;
      await new Promise((resolve) => setTimeout(resolve, 2 * silence));
      expect(await backend()).toBe(first);
    } finally {
      await pool.end();
      await proxy.close();
    }
  });

  it("nor one whose answer came while the process could not look", async () => {
    const pool = openPool(database.url, { applicationName: "spec", max: 1, silence });
    try {
      const backend = () => pool.query("SELECT pg_backend_pid() AS pid");
      const { rows } = await backend();
      const answer = backend();
      // Sent, then stopped for longer than the limit.
      await new Promise((resolve) => setImmediate(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * silence);
      expect((await answer).rows).toEqual(rows);
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect((await backend()).rows).toEqual(rows);
    } finally {
      await pool.end();
    }
  });
});

it("asks the server to notice soon that a client is gone: half a statement may hold locks", async () => {
  const { rows } = await database.pool.query("SHOW tcp_keepalives_idle");
  expect(rows).toEqual([{ tcp_keepalives_idle: "10" }]);
});
