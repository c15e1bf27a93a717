import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { type Build, createBuild, ensureBuild, listBuilds } from "../projector/build.js";
import { takeOver } from "../projector/checkpoint.js";
import { type DecisionLog, Decisions } from "../projector/decisions.js";
import type { Decoder } from "../projector/ports.js";
import { runConsumer } from "../projector/runner.js";
import { verifyProjection } from "../projector/verify.js";
import { createLogger } from "../service/logger.js";
import { builtRoot } from "../service/root.js";
import { closedOpener } from "../service/sealed-opener.js";
import { openPool } from "../store/pool.js";
import { stateOfBuild } from "../testing/build-state.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { notes, topic } from "../testing/notes.js";
import { appendNotesHistory, inPieces } from "../testing/notes-history.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import { claimBuild } from "./claim.js";
import { type Filled, type FillOptions, fillBuild } from "./fill.js";
import { fillThread } from "./fill-thread.js";
import { follow } from "./follow.js";

const logger = createLogger("spec", "silent");
const codec = standaloneCodec();
const decoder: Decoder = { decodeEvent: (value) => codec.decodeEvent(value), learn: async () => {} };
const partitions = 3;

let own: OwnTopics;
let database: FreshDatabase;
let live: Build;
let decisionLog: DecisionLog;
let decisions: Decisions;
let liveState: Awaited<ReturnType<typeof stateOfBuild>>;

const high = async (log: Pick<Log, "watermarks"> = own.log) =>
  (await log.watermarks(topic)).reduce((sum, mark) => sum + mark.high, 0);

async function reached(build: Build): Promise<number> {
  const { rows } = await database.pool.query<{ next: number }>(
    "SELECT coalesce(sum(next_offset), 0)::int AS next FROM engine.checkpoints WHERE projection = 'notes' AND build = $1",
    [build.build],
  );
  return Number(rows[0]?.next);
}

beforeAll(async () => {
  [own, database] = await Promise.all([ownTopics(), freshDatabase()]);
  await own.create(topic, partitions);
  decisionLog = memoryDecisions([...(await appendNotesHistory(own.log, partitions))]);
  decisions = new Decisions(decisionLog, "notes");
  await decisions.load();
  live = await ensureBuild(database.pool, notes, "notes");
  const running = await runConsumer({
    definition: { name: "notes", project: [notes] },
    log: own.log,
    pool: database.pool,
    decoder,
    opener: closedOpener,
    logger,
    decisionLog,
    onFailure: (error) => {
      throw error;
    },
  });
  const end = await high();
  await vi.waitUntil(async () => (await reached(live)) === end, { timeout: 60_000 });
  await running.close();
  liveState = await stateOfBuild(database.pool, live);
  expect(liveState["parked keys"]).toHaveLength(5);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await own?.dispose();
  await database?.drop();
});

const options = (build: Build, changes: Partial<FillOptions> = {}): FillOptions => ({
  projection: notes,
  build,
  log: own.log,
  pool: database.pool,
  decoder,
  opener: closedOpener,
  logger,
  decisions,
  ...changes,
});
const fresh = () => createBuild(database.pool, notes, "notes", "rebuild");
const again = async (build: Build) =>
  (await listBuilds(database.pool, "notes")).find((one) => one.build === build.build) as Build;

/** As a rebuild goes on: ordinary lanes read what is left. */
async function finish(build: Build, filled: Filled): Promise<void> {
  const warn = vi.fn();
  const told = { logger: { info: () => {}, warn, error: () => {} } };
  const following = await follow({ ...options(build, told), decisionLog, unfilled: filled.unfilled, interval: 20 });
  const end = await high();
  await expect.poll(() => reached(build), { timeout: 30_000, interval: 20 }).toBe(end);
  await following.stop();
  // A key whose rows were taken for missing: Postgres refuses the second one of a history.
  expect(warn).not.toHaveBeenCalledWith(expect.objectContaining({ code: "23505" }), expect.anything());
}

async function expectSameAsLive(build: Build): Promise<void> {
  expect(await stateOfBuild(database.pool, build)).toEqual(liveState);
  const { log, pool } = options(build);
  const found = await verifyProjection({
    projection: notes,
    build,
    log,
    pool,
    decoder,
    opener: closedOpener,
    decisions,
  });
  expect(found.differences).toEqual([]);
  expect(found.parkedKeys).toBe(5);
}

describe("a build that is filled", () => {
  it("equals the one that lanes made, and the pure fold: parked keys, repetitions, sums and deleted rows too", async () => {
    const build = await fresh();
    const told: number[] = [];
    const filled = await fillBuild(options(build, { progress: (events) => told.push(events) }));
    expect(filled.unfilled).toEqual([]);
    expect(filled.events).toBe(await high());
    expect(told.at(-1)).toBe(filled.events);
    expect((await again(build)).indexed).toBe(true);
    await expectSameAsLive(build);
  });

  it("is read no faster than the rate, over no more connections than it may have", async () => {
    const build = await fresh();
    // Alone in its pool: every connection in use is the fill's.
    const pool = openPool(database.url, { applicationName: "spec fill", max: 20 });
    let most = 0;
    pool.on("acquire", () => {
      most = Math.max(most, pool.totalCount - pool.idleCount);
    });
    const rate = 2_500;
    const from = performance.now();
    const told: { readonly events: number; readonly after: number }[] = [];
    const progress = (events: number) => told.push({ events, after: (performance.now() - from) / 1000 });
    const { events } = await fillBuild(
      options(build, { pool, rate, connections: 1, log: inPieces(own.log), progress }),
    );
    await pool.end();
    const seconds = (performance.now() - from) / 1000;
    expect(seconds).toBeGreaterThan((0.95 * events) / rate);
    // At any time, not only in the end: a piece may be read before it is paid for.
    for (const { events: read, after } of told) expect(read - 40).toBeLessThanOrEqual(after * rate + 0.05 * rate);
    // One that copies, the claim, and one for all else.
    expect(most).toBeLessThanOrEqual(3);
    expect(most).toBeGreaterThan(1);
    await expectSameAsLive(build);
  });

  it("is gone on with by lanes, from where its checkpoints stand", async () => {
    const build = await fresh();
    // As if the log had ended there when it was filled.
    const early: FillOptions["log"] = {
      read: own.log.read,
      watermarks: async () => (await own.log.watermarks(topic)).map((mark) => ({ ...mark, high: mark.high - 250 })),
    };
    const filled = await fillBuild(options(build, { log: early }));
    expect(await reached(build)).toBe(await high(early));
    await finish(build, filled);
    await expectSameAsLive(build);
  });

  it("is the lanes' from where memory was full", async () => {
    const build = await fresh();
    const filled = await fillBuild(options(build, { memoryBytes: 30_000, log: inPieces(own.log) }));
    expect(filled.unfilled.length).toBeGreaterThan(0);
    const begun = await reached(build);
    expect(begun).toBeGreaterThan(0);
    expect(begun).toBeLessThan(await high());
    await finish(build, filled);
    await expectSameAsLive(build);
  });

  it("can be resumed wherever it was interrupted, and has whole partitions or nothing of them", async () => {
    const build = await fresh();
    const seen = new Set<number>();
    for (const stop of [200, 1_100, 2_000, 2_900]) {
      const interrupting = new AbortController();
      const interrupted = fillBuild(
        options(await again(build), {
          signal: interrupting.signal,
          progress: (events) => events >= stop && interrupting.abort(new Error("interrupted")),
        }),
      );
      await interrupted.catch((error: Error) => expect(error.message).toBe("interrupted"));
      const rows = await stateOfBuild(database.pool, build);
      const done = new Set(rows.checkpoints?.map((row) => JSON.parse(row)[1]));
      seen.add(done.size);
      const partitionsWithRows = new Set(rows.history?.map((row) => JSON.parse(row).source_partition));
      expect(partitionsWithRows).toEqual(done);
    }
    expect(seen.size).toBeGreaterThan(2);
    await fillBuild(options(await again(build)));
    await expectSameAsLive(build);
  });

  it("takes rows that never change in pieces, and is resumed in the midst of a partition", async () => {
    const { fold, tables } = notes;
    const history = {
      ...notes,
      name: "history",
      tables: { history: tables.history } as never,
      fold: {
        VisitUpdated: (context: Parameters<NonNullable<typeof fold.VisitUpdated>>[0]) => {
          const [act] = /(?<="act":")\w+/.exec((context.event as { facility: string }).facility) ?? [];
          context.tables.history?.append?.({ visit_id: context.key, act: act ?? null } as never);
          return undefined;
        },
      },
    } as unknown as typeof notes;
    const build = await createBuild(database.pool, history, "notes", "rebuild");
    const interrupting = new AbortController();
    const given = { ...options(build), projection: history, memoryBytes: 200_000 };
    const progress = (events: number) => events >= 900 && interrupting.abort(new Error("interrupted"));
    const interrupted = fillBuild({ ...given, log: inPieces(own.log), signal: interrupting.signal, progress });
    await expect(interrupted).rejects.toThrow("interrupted");
    const { checkpoints } = await stateOfBuild(database.pool, build);
    const first = JSON.parse(checkpoints?.[0] ?? "[]") as [string, number, number];
    const [mark] = await own.log.watermarks(topic);
    expect(first[2]).toBeGreaterThan(0);
    expect(first[2]).toBeLessThan(mark?.high ?? 0);
    await fillBuild({ ...given, log: inPieces(own.log) });
    const { log, pool } = given;
    const found = await verifyProjection({
      projection: history,
      build,
      log,
      pool,
      decoder,
      opener: closedOpener,
      decisions,
    });
    expect(found.differences).toEqual([]);
    expect(found.rows).toBeGreaterThan(2_000);
  });
});

describe("threads that fill together", () => {
  const script = pathToFileURL(join(builtRoot, "engine/testing/notes-fill-thread.js"));
  const together = (build: Build, changes: Partial<FillOptions> = {}) => {
    vi.stubEnv("TOPIC_PREFIX", own.settings.TOPIC_PREFIX);
    vi.stubEnv("DATABASE_URL", database.url);
    const helpers = Array.from({ length: 2 }, () => fillThread(script, "notes"));
    return fillBuild(options(build, { helpers, connections: 3, eventsPerThread: 100, ...changes }));
  };
  /** How many threads, by the owners of what they filled. */
  const owners = async ({ build }: Build) => {
    const { rows } = await database.pool.query(
      "SELECT DISTINCT owner FROM engine.checkpoints WHERE projection = 'notes' AND build = $1",
      [build],
    );
    return rows.length;
  };
  /** The own thread reads its first partition only when another one has taken one too. */
  const patient = (): FillOptions["log"] => ({
    watermarks: own.log.watermarks,
    async *read(...place) {
      await expect
        .poll(async () => owners((await listBuilds(database.pool, "notes")).at(-1) as Build), { timeout: 20_000 })
        .toBeGreaterThan(1);
      yield* inPieces(own.log).read(...place);
    },
  });

  it("make the same build, each some of its partitions", async () => {
    const build = await fresh();
    const filled = await together(build, { log: patient() });
    expect(filled).toEqual({ events: await high(), unfilled: [] });
    expect(await owners(build)).toBeGreaterThan(1);
    await expectSameAsLive(build);
  });

  it("leave to lanes what does not fit into the memory that they share, and tell which keys they met", async () => {
    const build = await fresh();
    const filled = await together(build, { log: patient(), memoryBytes: 90_000 });
    expect(filled.unfilled.filter(({ met }) => met).length).toBeGreaterThan(1);
    await finish(build, filled);
    await expectSameAsLive(build);
  });

  it("all end when one of them has to, with its reason", async () => {
    const build = await fresh();
    vi.stubEnv("PROJECTION_PARKED_LIMIT", "0");
    const filling = together(build, { log: patient() });
    await expect(filling).rejects.toMatchObject({ code: "TRIB_PROJECT_TOO_MANY_PARKED" });
    await fillBuild(options(await again(build)));
    await expectSameAsLive(build);
  });

  it("are not started for a log that is read before they are there, and no more than there are partitions", async () => {
    let started = 0;
    const fill = async () => {
      started++;
      return [];
    };
    const helpers = Array.from({ length: 6 }, () => ({ fill }));
    await together(await fresh(), { helpers, eventsPerThread: 10_000 });
    expect(started).toBe(0);
    await together(await fresh(), { helpers });
    expect(started).toBe(partitions - 1);
  });
});

describe("a second process", () => {
  it("may not fill what another fills", async () => {
    const build = await fresh();
    const claim = await claimBuild(database.pool, build);
    await expect(fillBuild(options(build))).rejects.toMatchObject({ code: "TRIB_REPLAY_BUSY" });
    claim.release();
    await expect
      .poll(() =>
        fillBuild(options(build)).then(
          () => "filled",
          () => "refused",
        ),
      )
      .toBe("filled");
  });

  it("may not fill what a consumer feeds", async () => {
    await expect(fillBuild(options(live))).rejects.toMatchObject({ code: "TRIB_REPLAY_BUSY" });
  });

  it("that took a partition over is the only one that writes it", async () => {
    const build = await fresh();
    let taken = false;
    const progress = async (events: number) => {
      if (events === 0 || taken) return;
      taken = true;
      await takeOver(database.pool, { build, topic, partition: 0 }, "other");
    };
    const slow: FillOptions["log"] = {
      watermarks: own.log.watermarks,
      async *read(...place) {
        for await (const records of own.log.read(...place)) {
          yield records;
          await expect.poll(() => taken).toBe(true);
        }
      },
    };
    const filling = fillBuild(options(build, { log: slow, progress: (events) => void progress(events) }));
    await expect(filling).rejects.toMatchObject({ code: "TRIB_PROJECT_FENCE_LOST" });
    const { history } = await stateOfBuild(database.pool, build);
    expect(history?.filter((row) => JSON.parse(row).source_partition === 0)).toEqual([]);
  });
});
