import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Pool, PoolOptions } from "../store/pool.js";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, mixed, notes, published, topic } from "../testing/notes.js";
import type { Statement } from "../testing/postgres-framing.js";
import type { StatementFault } from "../testing/postgres-proxy.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { chaoticPool, killBackends, noHits, type ProxiedPool, proxiedPool } from "../testing/store-chaos.js";
import { passed } from "../testing/tcp-proxy.js";

let database: FreshDatabase;
let bench: ProjectionBench;
let proxied: ProxiedPool | undefined;
/** Of this file: faults that struck work in progress, and events whose rows were checked. */
const faults: Record<string, number> = {};
let checked = 0;
let violations = 0;
let seeds = 0;
const struck = (kind: string, times = 1) => {
  faults[kind] = (faults[kind] ?? 0) + times;
};

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});
beforeEach(async () => {
  bench = await ProjectionBench.create(notes, database.pool, { beside: true });
});
afterEach(async () => {
  await proxied?.close();
  proxied = undefined;
});

/** The lane's way to Postgres; `fault` is asked about each statement with how many of its sort came before. */
async function through(
  fault: (statement: Statement, sort: "write" | "load" | "other", before: number) => ReturnType<typeof decide>,
  pool: Partial<PoolOptions> = {},
): Promise<Pool> {
  await proxied?.close();
  const counts = { write: 0, load: 0, other: 0 };
  proxied = await proxiedPool(database.url, {
    pool,
    statement(statement) {
      const sort = /^(write|load)_/.exec(statement.name)?.[1] as "write" | "load" | undefined;
      const before = counts[sort ?? "other"];
      counts[sort ?? "other"] += 1;
      return fault(statement, sort ?? "other", before);
    },
  });
  return proxied.pool;
}
const decide = (fault: StatementFault): StatementFault | Promise<StatementFault> => fault;

const append = (events = 24) => bench.append(published(mixed(events)));

async function expectRows(): Promise<void> {
  violations += 1;
  await expectPure(bench, bench.inputs);
  violations -= 1;
  checked += bench.inputs.length;
}

async function expectWhole(): Promise<void> {
  await expectRows();
  const { rows } = await database.pool.query(
    "SELECT next_offset, partition FROM engine.checkpoints WHERE projection = 'notes' AND build = $1",
    [bench.build.build],
  );
  for (const { partition, next_offset } of rows) expect(next_offset).toBe(bench.recordsOf(topic, partition).length);
  expect(rows).toHaveLength(2);
}

async function runLane(partition: number, pool: Pool): Promise<void> {
  const lane = bench.lane(topic, partition, { pool });
  const records = bench.recordsOf(topic, partition);
  await lane.batch(records.slice(await lane.open()), bench.context(records.length));
  await lane.close();
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The lane has told that it waits to try again. */
const isWaiting = () => bench.messages.some((message) => message.startsWith("waiting"));
/** Backends of the lane that wait for a lock. */
const waitsForLock = async (): Promise<boolean> => {
  const { rowCount } = await database.pool.query(
    `SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'`,
    [proxied?.application],
  );
  return (rowCount ?? 0) > 0;
};
const lockRows = () => `BEGIN; SELECT FROM ${bench.build.schema}.note_lines FOR UPDATE`;
const touchCheckpoints = () =>
  `UPDATE engine.checkpoints SET updated_at = now() WHERE projection = 'notes' AND build = ${bench.build.build}`;

/** A second session beside a lane that has rows already, and more events before it. */
async function beside(work: (session: (sql: string) => Promise<unknown>) => Promise<void>): Promise<void> {
  append();
  await bench.run();
  append();
  const client = await database.pool.connect();
  try {
    await work((sql) => client.query(sql));
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}

/** Makes inserts of events' rows fail, or slow, as the body of a trigger says. `nth` counts the statements. */
async function trigger(body: string): Promise<void> {
  const { schema } = bench.build;
  await database.pool.query(`
    CREATE SEQUENCE ${schema}.nth;
    CREATE FUNCTION ${schema}.strike() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE nth bigint := nextval('${schema}.nth');
    BEGIN ${body} RETURN NULL; END $$;
    CREATE TRIGGER strike BEFORE INSERT ON ${schema}.history FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.strike()`);
}

describe("a lane through a bad network", () => {
  it.each([
    ["lost reply of a write that was committed", { kind: "lose reply" }],
    ["write that never arrived", { kind: "cut" }],
    ["half a write", { kind: "cut", after: 100 }],
  ] as const)("%s: each write of a run in turn", async (kind, fault) => {
    for (let nth = 0, before = -1; before < faultsOf(kind); nth++) {
      before = faultsOf(kind);
      bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      append();
      const pool = await through((_, sort, earlier) => {
        if (sort !== "write" || earlier !== nth) return passed;
        struck(kind);
        return fault;
      });
      await bench.run({ batch: 4, pool });
      await expectWhole();
    }
    expect(faultsOf(kind)).toBeGreaterThan(1);
  });

  it("lost reply of a take-over, of a look at the checkpoint in doubt, of a read", async () => {
    append();
    let doubts = 0;
    const pool = await through(({ text }, sort, before) => {
      if (sort === "write" && before % 3 === 1) return { kind: "lose reply" };
      const again = text.startsWith("UPDATE engine.checkpoints SET epoch");
      if (again) doubts += 1;
      if (!(sort === "load" && before % 4 === 1) && !(again && doubts % 2 === 1) && before !== 0) return passed;
      struck("lost reply of a read or a take-over");
      return { kind: "lose reply" };
    });
    await bench.run({ batch: 4, cacheRows: 3, pool });
    expect(doubts).toBeGreaterThan(1);
    await expectWhole();
  });

  it("a black hole in either direction: the lane gives the silent connection up and finds out", async () => {
    append(12);
    const pool = await through(
      (_, sort, before) => {
        if (sort !== "write" || before > 1) return passed;
        struck("black hole");
        return before === 0 ? { kind: "swallow" } : { kind: "treat reply", reply: { kind: "swallow" } };
      },
      { silence: 200 },
    );
    // Both partitions at once: each has a silence to wait for.
    await Promise.all([0, 1].map((partition) => runLane(partition, pool)));
    await expectWhole();
  }, 30_000);

  it("a write that takes longer than the lane waits: it waits for it in the take-over, and goes on from there", async () => {
    await trigger("PERFORM pg_sleep(0.4);");
    append(12);
    struck("write slower than the limit");
    const pool = await through(() => passed, { silence: 150 });
    await bench.run({ batch: 6, pool });
    expect(bench.messages).toContain("a batch was not written as folded");
    await expectWhole();
    // Each statement wrote: none was repeated for having been slow.
    const { rows } = await database.pool.query(`SELECT last_value FROM ${bench.build.schema}.nth`);
    expect(rows[0].last_value).toBeLessThanOrEqual(4);
  }, 30_000);

  it("a seeded schedule of all of them, with a server that refuses, kills and is slow", async () => {
    const hits = noHits();
    const count = chaosSize(5, 150);
    for (let seed = firstSeed(); seed < firstSeed() + count; seed++) {
      bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      await trigger(`PERFORM pg_sleep(0.003);
        IF nth % 7 = 3 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
        IF nth % 7 = 5 THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF;`);
      append(40);
      proxied = await chaoticPool(database, { seed, oneIn: 3, hits });
      await bench.run({ batch: 2 + (seed % 5), cacheRows: 1 + (seed % 9), pool: proxied.pool });
      await expectWhole().catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
      await proxied.close();
      proxied = undefined;
      seeds += 1;
    }
    for (const [kind, times] of Object.entries(hits)) struck(kind, times);
  }, 600_000);
});

const faultsOf = (kind: string) => faults[kind] ?? 0;

describe("a lane on a troubled server", () => {
  it("killed backend while the write is under way", async () => {
    const pool = await through(() => passed);
    await beside(async (session) => {
      await session(lockRows());
      const run = bench.run({ batch: 6, pool });
      await until("the write waits", waitsForLock);
      struck("killed backend", await killBackends(database.pool, (proxied as ProxiedPool).application));
      await session("COMMIT");
      await run;
    });
    await expectWhole();
  });

  it("serialization failure: a real one, and one in four statements", async () => {
    const url = new URL(database.url);
    url.searchParams.set("options", "-c default_transaction_isolation=serializable");
    proxied = await proxiedPool(url.href);
    const { pool } = proxied;
    // A sequence's number is not taken back with its transaction.
    await trigger("IF nth % 4 = 0 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;");
    await beside(async (session) => {
      const lane = bench.lane(topic, 0, { pool });
      const from = await lane.open();
      await session(`BEGIN; ${touchCheckpoints()}`);
      const records = bench.recordsOf(topic, 0);
      const batch = lane.batch(records.slice(from), bench.context(records.length));
      await until("the write waits", waitsForLock);
      expect(bench.messages).toEqual([]);
      await session("COMMIT");
      await batch;
      await lane.close();
      expect(isWaiting()).toBe(true);
      await bench.run({ batch: 3, pool });
      const { rows } = await database.pool.query(`SELECT last_value / 4 AS raised FROM ${bench.build.schema}.nth`);
      struck("serialization failure", 1 + rows[0].raised);
    });
    await expectWhole();
  });

  it("deadlock, a real one with a second session", async () => {
    const pool = await through(() => passed);
    await beside(async (session) => {
      for (let attempt = 0; attempt < 5 && !isWaiting(); attempt++) {
        append();
        await session(lockRows());
        const run = bench.run({ batch: 6, pool });
        // The lane waits first, so as a rule the server finds the circle in its turn and ends its statement.
        await until("the write waits", waitsForLock);
        const ended = await session(touchCheckpoints()).catch((error: { code?: string }) => error.code);
        if (ended !== "40P01") await until("the lane was told", isWaiting);
        await session("ROLLBACK");
        await run;
      }
      expect(isWaiting()).toBe(true);
      struck("deadlock");
    });
    await expectWhole();
  });

  it("pool run dry", async () => {
    let hog: Promise<{ release(): void }> | undefined;
    const pool = await through(
      (_, sort, before) => {
        // Queued behind the statement under way, so it gets the only connection next.
        if (sort === "write" && before === 1) hog = pool.connect();
        return passed;
      },
      { max: 1, connectionTimeout: 50 },
    );
    append();
    const run = bench.run({ batch: 3, pool });
    try {
      await until("the lane waits", () => hog !== undefined && isWaiting());
      struck("pool run dry");
    } finally {
      (await hog)?.release();
    }
    await run;
    await expectWhole();
  });

  it("slow disk: everything arrives, in order", async () => {
    await trigger("PERFORM pg_sleep(0.02);");
    append(40);
    const pool = await through((_, sort) => {
      if (sort === "write") struck("slow statement");
      return sort === "write" ? { kind: "delay", milliseconds: 5 } : { kind: "slice", bytes: 50 };
    });
    await bench.run({ batch: 2, pool });
    await expectWhole();
  });

  it("slow disk: what is in hand is bounded while a write does not end", async () => {
    let release: (fault: StatementFault) => void = () => {};
    const held = new Promise<StatementFault>((resolve) => {
      release = resolve;
    });
    const pool = await through((_, sort, before) => (sort === "write" && before === 0 ? held : passed));
    const size = 500;
    bench.append(published(mixed(size)).map((event) => ({ ...event, source: { topic, partition: 0, offset: 0 } })));
    const lane = bench.lane(topic, 0, { pool });
    let given = await lane.open();
    const batches: Promise<void>[] = [];
    let taken = true;
    while (taken && given < mostInHand) {
      bench.append(published(mixed(size)).map((event) => ({ ...event, source: { topic, partition: 0, offset: 0 } })));
      const records = bench.recordsOf(topic, 0).slice(given, given + size);
      const batch = lane.batch(records, bench.context(mostInHand * 2));
      batches.push(batch);
      given += size;
      taken = await Promise.race([
        batch.then(() => true),
        new Promise<false>((resolve) => setTimeout(resolve, 400, false)),
      ]);
    }
    expect(given).toBeLessThan(mostInHand);
    struck("write that does not end");
    release(passed);
    await Promise.all(batches);
    const records = bench.recordsOf(topic, 0);
    for (; given < records.length; given += size) {
      await lane.batch(records.slice(given, given + size), bench.context(records.length));
    }
    await lane.close();
    await expectRows();
  });
});

/** Events folded while one write is under way, beyond which a lane must not take more. */
const mostInHand = 100_000;

afterAll(() => {
  recordChaos({
    guarantee: "A failing store does no harm",
    spec: "engine/projector/store-faults.int.spec.ts",
    seeds,
    kills: 0,
    faults,
    events: checked,
    violations,
  });
});
