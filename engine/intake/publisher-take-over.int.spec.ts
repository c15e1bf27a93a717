import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import { journalTopic } from "../log/schemas.js";
import { openPool, type Pool } from "../store/pool.js";
import { recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { appendUnits, consume, eventsTopicOfScript, genesis, scriptedEntry } from "../testing/journal-script.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import type { StatementFault } from "../testing/postgres-proxy.js";
import { type ProxiedPool, proxiedPool } from "../testing/store-chaos.js";
import { passed, type Treatment } from "../testing/tcp-proxy.js";
import { intakeCounts } from "./journal.js";
import { advance, claimFirsts, takeOver } from "./publisher-checkpoint.js";
import { PublisherLane, type PublisherLaneOptions } from "./publisher-lane.js";

const codec = standaloneCodec();
/** Long enough that a busy machine isn't taken for a black hole too often, and short enough for a spec. */
const silence = 250;
const faults = {
  "black hole": 0,
  "pool run dry": 0,
  "take-over that arrived late": 0,
  "owner in doubt with a successor": 0,
};
let events = 0;
let database: FreshDatabase;
let journal: string;
let log: MemoryLog;
let texts: readonly string[];
const open: ProxiedPool[] = [];

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
  recordChaos({
    guarantee: "A failing store does no harm",
    spec: "engine/intake/publisher-take-over.int.spec.ts",
    seeds: 0,
    kills: 0,
    faults,
    events,
    violations: 0,
  });
});
beforeEach(restart);
afterEach(async () => {
  for (const proxied of open.splice(0)) await proxied.close();
});

/** A journal of eight units, one of them sent twice, and nothing published. */
async function restart(): Promise<void> {
  await database.pool.query(`TRUNCATE engine.publisher_checkpoints, engine.intake_counts, engine.ledger,
    engine.ledger_latest, engine.control_ids`);
  journal = randomUUID();
  log = memoryLog({ partitions: 1 });
  const contents = ["a", "b", "c", "a", "d", "e", "f", "g", "h"];
  const units = contents.map((content, index) => ({ content, events: [`p:${index}`, `q:${index}`] }));
  texts = units.filter((_, index) => index !== 3).flatMap((unit) => unit.events);
  await appendUnits(await log.producer(), codec, 0, [genesis(journal), ...units.map(scriptedEntry)]);
}

async function through(
  statement: (text: string) => StatementFault | Promise<StatementFault>,
  connection: () => Treatment = () => passed,
): Promise<Pool> {
  const proxied = await proxiedPool(database.url, {
    pool: { silence, max: 2 },
    connection,
    statement: ({ text }) => statement(text),
  });
  open.push(proxied);
  return proxied.pool;
}

async function publisherLane(options: Partial<PublisherLaneOptions> = {}) {
  const lane = new PublisherLane({
    pool: database.pool,
    producer: await log.producer(),
    codec,
    journal,
    partition: 0,
    owner: "spec",
    batchEntries: 2,
    retryPause: 1,
    fencePatience: 200,
    onRetry: () => {},
    onPublished: () => {},
    ...options,
  });
  const context = {
    owned: true,
    highWatermark: 10,
    isOwned: () => context.owned,
    heartbeat: async () => {},
    seek: () => {},
  };
  /** Handles the entries from an offset up to another. */
  const batch = (from: number, to = 10) => lane.batch(log.records(journalTopic, 0).slice(from, to), context);
  return { lane, context, batch };
}

async function expectPublished(): Promise<void> {
  expect(consume(log.records(eventsTopicOfScript, 0)).map(({ value }) => value)).toEqual(texts);
  expect(await intakeCounts(database.pool)).toMatchObject({ units: 9, resends: 1, events: 16 });
  events += texts.length;
}

const isRaise = (text: string) => text.startsWith("UPDATE engine.publisher_checkpoints SET epoch");
const isAdvance = (text: string) => text.includes("counted AS");

describe("a publisher's lane", () => {
  it.each([
    ["statement", { kind: "swallow" }],
    ["answer", { kind: "treat reply", reply: { kind: "swallow" } }],
  ] as const)(
    "publishes everything once although the network swallows each %s of a run in turn",
    async (_, fault) => {
      let statements = 1;
      for (let nth = 0; nth < statements; nth += 1) {
        await restart();
        let count = 0;
        const pool = await through(() => {
          count += 1;
          if (count - 1 !== nth) return passed;
          faults["black hole"] += 1;
          return fault;
        });
        const { lane, batch } = await publisherLane({ pool, batchEntries: 5 });
        await batch(await lane.open());
        await expectPublished();
        statements = Math.max(statements, count - 4);
      }
      expect(statements).toBeGreaterThan(4);
    },
    60_000,
  );

  it("waits at its opening for a server that isn't there yet, and gives up when the partition is given away", async () => {
    let refused = 0;
    const away = await through(
      () => passed,
      () => {
        refused += 1;
        return refused > 3 ? passed : { kind: "cut" };
      },
    );
    const retries: string[] = [];
    const { lane, batch } = await publisherLane({ pool: away, onRetry: ({ code }) => retries.push(code) });
    await batch(await lane.open());
    expect(retries).toEqual(["TRIB_STORE_UNAVAILABLE", "TRIB_STORE_UNAVAILABLE", "TRIB_STORE_UNAVAILABLE"]);
    await expectPublished();

    let isOwned = true;
    const toldAway = () => {
      isOwned = false;
    };
    const gone = await through(
      () => passed,
      () => ({ kind: "cut" }),
    );
    const other = await publisherLane({ pool: gone, onRetry: () => toldAway() });
    const opening = other.lane.open({ isOwned: () => isOwned });
    await expect(opening).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
  });

  it("waits for a connection when all are in use", async () => {
    const pool = openPool(database.url, { applicationName: "spec", max: 1, connectionTimeout: 50 });
    try {
      let dry = 0;
      const { lane, batch } = await publisherLane({ pool, onRetry: () => void dry++ });
      const from = await lane.open();
      const hog = await pool.connect();
      const work = batch(from);
      await expect.poll(() => dry).toBeGreaterThan(1);
      hog.release();
      await work;
      faults["pool run dry"] += 1;
      await expectPublished();
    } finally {
      await pool.end();
    }
  });

  it("commits its decisions before it sends, and none once it has a successor", async () => {
    const producer = await log.producer();
    const known: number[] = [];
    const decided = {
      ...producer,
      async append(records: Parameters<typeof producer.append>[0]) {
        const { rows } = await database.pool.query("SELECT count(*) FROM engine.ledger");
        known.push(rows[0].count);
        return producer.append(records);
      },
    };
    const { lane, batch } = await publisherLane({ producer: decided, batchEntries: 3 });
    await batch(await lane.open());
    // The fourth unit is the first one again.
    expect(known).toEqual([3, 5, 8]);

    await restart();
    const { fence } = await takeOver(database.pool, journal, 0, "former");
    await takeOver(database.pool, journal, 0, "successor");
    const id = randomUUID();
    const entry = {
      offset: 1,
      receiptId: "r",
      rule: "EVERY",
      identity: id,
      resource: null,
      controlKey: id,
      origin: null,
    } as const;
    expect(await claimFirsts(database.pool, fence, 1, [entry])).toBeUndefined();
    const latest = new Map([[id, { offset: 1, content: id, receiptId: "r" }]]);
    const count = { partner: "p", connector: "c", code: "", units: 1, accepted: 1, rejected: 0, resends: 0 };
    const counts = [{ ...count, reusedIds: 0, events: 1 }];
    expect(await advance(database.pool, fence, { first: 1, next: 2, lastRecordedAt: 5, counts, latest })).toBe(false);
    const { rows } = await database.pool.query(`SELECT next_offset AS next,
      (SELECT count(*) FROM engine.ledger) + (SELECT count(*) FROM engine.control_ids)
      + (SELECT count(*) FROM engine.ledger_latest) + (SELECT count(*) FROM engine.intake_counts) AS written
      FROM engine.publisher_checkpoints`);
    expect(rows).toEqual([{ next: 1, written: 0 }]);
  });

  it("keeps its partition when the take-over of one that is gone arrives late", async () => {
    let release: (fault: StatementFault) => void = () => {};
    const held = new Promise<StatementFault>((resolve) => {
      release = resolve;
    });
    let isOnItsWay = false;
    const slow = await through((text) => {
      if (!isRaise(text)) return passed;
      isOnItsWay = true;
      return held;
    });
    // It waits no longer, for it has nothing any more; its statement is still on the way.
    const former = (await publisherLane({ pool: slow })).lane.open({ isOwned: () => !isOnItsWay });
    await expect(former).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    const { lane, batch } = await publisherLane();
    const from = await lane.open();
    await batch(from, 5);
    const backends = async () => {
      const found = "SELECT FROM pg_stat_activity WHERE application_name = $1";
      return (await database.pool.query(found, [open.at(-1)?.application])).rowCount;
    };
    expect(await backends()).toBe(1);
    // The server ends the connection when it has done what came over it.
    release(passed);
    await expect.poll(backends, { timeout: 10_000, interval: 5 }).toBe(0);
    faults["take-over that arrived late"] += 1;
    await batch(5);
    await expectPublished();
  });

  it("in doubt takes nothing from whoever came meanwhile", async () => {
    const successor = await publisherLane();
    let next: Promise<number> | undefined;
    let hole = true;
    const pool = await through((text) => {
      if (!isAdvance(text) || !hole) return passed;
      hole = false;
      return { kind: "swallow" };
    });
    // The successor comes while the former owner waits before it looks.
    const former = await publisherLane({
      pool,
      retryPause: 300,
      onRetry: () => {
        next ??= successor.lane.open();
      },
    });
    const left = former.batch(await former.lane.open());
    await expect(left).rejects.toMatchObject({ code: "TRIB_INTAKE_FENCE_LOST" });
    faults["owner in doubt with a successor"] += 1;
    expect(await next).toBe(1);
    await successor.batch(1);
    await expectPublished();
  });
});
