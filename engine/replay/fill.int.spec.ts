import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { type Build, createBuild, ensureBuild, listBuilds } from "../projector/build.js";
import { takeOver } from "../projector/checkpoint.js";
import { type Decision, type DecisionLog, Decisions } from "../projector/decisions.js";
import type { Decoder } from "../projector/ports.js";
import { runConsumer } from "../projector/runner.js";
import { verifyProjection } from "../projector/verify.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { openPool } from "../store/pool.js";
import { stateOfBuild } from "../testing/build-state.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { derivedNotes, keyOf, type Note, notes, topic } from "../testing/notes.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import { claimBuild } from "./claim.js";
import { compareBuilds } from "./compare.js";
import { type Filled, type FillOptions, fillBuild } from "./fill.js";
import { follow } from "./follow.js";

const logger = createLogger("spec", "silent");
const codec = standaloneCodec();
const decoder: Decoder = { decodeEvent: (value) => codec.decodeEvent(value), learn: async () => {} };
const partitions = 3;
const keys = 90;
const eventCount = 2_400;

let own: OwnTopics;
let database: FreshDatabase;
let live: Build;
let decisionLog: DecisionLog;
let decisions: Decisions;
let liveState: Awaited<ReturnType<typeof stateOfBuild>>;

/**
 * Notes about many visits from two feeds, stretches of which stand twice as after a crash of the publisher; rows that go
 * and come again, keys parked by the fold, by a value, by broken bytes and by an operator, and an event that one left out.
 */
async function appendHistory(): Promise<readonly Decision[]> {
  const acts: readonly Note["act"][] = ["set", "line", "set", "line", "delete", "line", "set"];
  const texts = ["a", "b", "c, {NULL}", 'd\\ "quoted"', "é😀", ""];
  const inputs = recorded(
    Array.from({ length: eventCount }, (_, index) => {
      const key = (index * 7) % keys;
      const poison = new Map<number, Note["act"]>([
        [3, "park"],
        [4, "throw"],
        [5, "overflow"],
      ]).get(key);
      const act = poison && index > eventCount / 2 ? poison : (acts[(index * 5) % acts.length] as Note["act"]);
      const note: Note = { act, value: texts[(index * 11) % texts.length] as string };
      return {
        type: "VisitUpdated" as const,
        key: keyOf(key),
        fields: { facility: JSON.stringify(note), authority: "spec" },
      };
    }),
  );
  const producer = await own.log.producer();
  const places = new Map<number, { partition: number; offset: number }>();
  const decided: Decision[] = [];
  const records = inputs.map(({ key, event, position }, index) => {
    const number = Number(key.slice(-4));
    const garbage = number === 6 && index > eventCount / 3;
    return {
      topic,
      partition: number % partitions,
      key,
      value: garbage ? Buffer.from("garbage") : codec.encodeEvent("VisitUpdated", event as never),
      headers: { [positionHeader]: formatPosition({ ...position, partition: number % 2 }) },
    };
  });
  const stretch = 60;
  for (let at = 0; at < records.length; at += stretch) {
    const appended = await producer.append(records.slice(at, at + stretch));
    appended.forEach((place, index) => {
      places.set(at + index, place);
    });
    if (at % (stretch * 3) === 0) await producer.append(records.slice(at, at + stretch));
  }
  await producer.close();
  for (const [index, action] of [
    [800, "skip"],
    [900, "park"],
  ] as const) {
    const place = places.get(index) as { partition: number; offset: number };
    const rest = { key: null, position: null, eventId: null, eventType: null };
    decided.push({
      id: action,
      action,
      projection: "notes",
      actor: "spec",
      time: 0,
      reason: "r",
      topic,
      ...place,
      ...rest,
    });
  }
  return decided;
}

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
  decisionLog = memoryDecisions([...(await appendHistory())]);
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

/** Gives fewer records at a time than the real log, which it reads. */
const inPieces = (): FillOptions["log"] => ({
  watermarks: own.log.watermarks,
  async *read(...place) {
    for await (const records of own.log.read(...place)) {
      for (let at = 0; at < records.length; at += 20) yield records.slice(at, at + 20);
    }
  },
});

/** As a rebuild goes on: ordinary lanes read what is left. */
async function finish(build: Build, filled: Filled): Promise<void> {
  const following = await follow({ ...options(build), decisionLog, unfilled: filled.unfilled, interval: 20 });
  const end = await high();
  await expect.poll(() => reached(build), { timeout: 30_000, interval: 20 }).toBe(end);
  await following.stop();
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
    const { events } = await fillBuild(options(build, { pool, rate, connections: 1, log: inPieces(), progress }));
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
    const filled = await fillBuild(options(build, { memoryBytes: 30_000, log: inPieces() }));
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
    const interrupted = fillBuild({ ...given, log: inPieces(), signal: interrupting.signal, progress });
    await expect(interrupted).rejects.toThrow("interrupted");
    const { checkpoints } = await stateOfBuild(database.pool, build);
    const first = JSON.parse(checkpoints?.[0] ?? "[]") as [string, number, number];
    const [mark] = await own.log.watermarks(topic);
    expect(first[2]).toBeGreaterThan(0);
    expect(first[2]).toBeLessThan(mark?.high ?? 0);
    await fillBuild({ ...given, log: inPieces() });
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

describe("a comparison", () => {
  it("tells derived tables that differ at the same positions, and those never met there", async () => {
    const made = async () => createBuild(database.pool, derivedNotes, "notes", "rebuild");
    const builds: [Build, Build] = [await made(), await made()];
    const write = async ({ build, schema }: Build, visits: number, next: number) => {
      await database.pool.query(`TRUNCATE "${schema}".noted; INSERT INTO "${schema}".noted VALUES ('note', ${visits})`);
      await database.pool.query(
        `INSERT INTO engine.derived_tables (projection, build, name, owner, vector, consumer_role)
         VALUES ('notes', $1, 'noted', 'spec', $2, 'tributary_notes')
         ON CONFLICT (projection, build, name) DO UPDATE SET vector = EXCLUDED.vector`,
        [build, JSON.stringify({ [topic]: { 0: next } })],
      );
    };
    const compared = () => compareBuilds({ pool: database.pool, projection: derivedNotes, builds, derivedTimeout: 50 });
    await write(builds[0], 4, 10);
    await write(builds[1], 4, 10);
    expect(await compared()).toMatchObject({ rows: { noted: 1 }, differences: [], skipped: [] });
    await write(builds[1], 5, 10);
    expect((await compared()).differences).toEqual([
      { table: "noted", topic: null, partition: null, rows: [1, 1], what: "clear" },
    ]);
    await write(builds[1], 5, 11);
    expect(await compared()).toMatchObject({ differences: [], skipped: ["noted"] });
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
