import { setTimeout as pause } from "node:timers/promises";
import { openPool, type Pool, type PoolOptions } from "../store/pool.js";
import type { FreshDatabase } from "./database.js";
import type { Statement } from "./postgres-framing.js";
import { type PostgresProxyOptions, type StatementFault, startPostgresProxy } from "./postgres-proxy.js";
import { passed } from "./tcp-proxy.js";

/** Whole numbers from a seed, the same on every machine (mulberry32): from 0 to `bound` - 1. */
export function dice(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** A pool through a proxy. */
export interface ProxiedPool {
  readonly pool: Pool;
  /** In `pg_stat_activity`. */
  readonly application: string;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

let pools = 0;

/** Opens a pool that reaches the database through a proxy. */
export async function proxiedPool(
  databaseUrl: string,
  options: Omit<PostgresProxyOptions, "databaseUrl"> & { readonly pool?: Partial<PoolOptions> } = {},
): Promise<ProxiedPool> {
  const { pool: poolOptions, ...proxyOptions } = options;
  const proxy = await startPostgresProxy({ databaseUrl, ...proxyOptions });
  pools += 1;
  const application = `tributary spec ${process.pid} ${pools}`;
  const pool = openPool(proxy.url, { applicationName: application, ...poolOptions });
  return {
    pool,
    application,
    cut: () => proxy.cut(),
    async close() {
      // What is still held goes first: an orderly end would wait for it.
      proxy.cut();
      await pool.end();
      await proxy.close();
    },
  };
}

/** Ends the backends of an application that have a statement under way. @returns how many. */
export async function killBackends(pool: Pool, application: string): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = $1 AND state = 'active'`,
    [application],
  );
  return rowCount ?? 0;
}

const kinds = [
  "drop",
  "lost reply",
  "delay",
  "slice",
  "half a statement",
  "half a reply",
  "black hole",
  "killed backend",
  "refused connection",
] as const;

/** Faults that struck a statement, or a connection that one waited for. */
export type Hits = Record<(typeof kinds)[number], number>;
export const noHits = (): Hits => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Hits;

/** A pool on which the faults of a network and of a server strike as a seed says: one statement in `oneIn`. */
export async function chaoticPool(
  database: FreshDatabase,
  { seed, oneIn, hits }: { readonly seed: number; readonly oneIn: number; readonly hits: Hits },
): Promise<ProxiedPool> {
  const roll = dice(seed);
  const strike = async (statement: Statement, kind: (typeof kinds)[number]): Promise<StatementFault> => {
    hits[kind] += 1;
    if (kind === "drop") return { kind: "cut" };
    if (kind === "lost reply") return { kind: "lose reply" };
    if (kind === "delay") return { kind: "delay", milliseconds: 1 + roll(10) };
    if (kind === "slice") return { kind: "slice", bytes: 1 + roll(300) };
    if (kind === "half a statement") return { kind: "cut", after: 1 + roll(statement.text.length) };
    if (kind === "half a reply") return { kind: "treat reply", reply: { kind: "cut", after: 1 + roll(20) } };
    // Somebody notices, a little later: a time-out of the client, a keep-alive.
    void pause(5 + roll(10)).then(() => chaotic.cut());
    return roll(2) ? { kind: "swallow" } : { kind: "treat reply", reply: { kind: "swallow" } };
  };
  const chaotic = await proxiedPool(database.url, {
    pool: { max: 3 },
    connection() {
      if (roll(oneIn * 2) > 0) return passed;
      hits["refused connection"] += 1;
      return { kind: "cut" };
    },
    statement(statement) {
      if (roll(oneIn) > 0) return passed;
      const kind = kinds[roll(kinds.length)] as (typeof kinds)[number];
      if (kind === "refused connection") return passed;
      if (kind !== "killed backend") return strike(statement, kind);
      // It counts when it found one at work.
      void pause(1 + roll(4))
        .then(() => killBackends(database.pool, chaotic.application))
        .then((killed) => {
          hits[kind] += killed;
        });
      return passed;
    },
  });
  return chaotic;
}
