import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import type { LogProducer } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { type Build, currentBuild, listBuilds } from "../projector/build.js";
import type { Decoder } from "../projector/ports.js";
import { prepareConsumer, type RunningConsumer, runConsumer } from "../projector/runner.js";
import { dropBuild, swapBuild } from "../projector/swap.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { fillVersions } from "../service/version-fills.js";
import { watchVersions } from "../service/version-swaps.js";
import { openPool, type Pool } from "../store/pool.js";
import { stateOfBuild } from "../testing/build-state.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { keyOf, type Note, notes, topic } from "../testing/notes.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import { beginVersion } from "./new-version.js";
import { type RebuildOptions, rebuildProjection } from "./rebuild.js";

const logger = createLogger("spec", "silent");
const codec = standaloneCodec();
const decoder: Decoder = { decodeEvent: (value) => codec.decodeEvent(value), learn: async () => {} };
const consumer = { name: "notes", project: [notes] };
const partitions = 3;
const keys = 300;

let own: OwnTopics;
let database: FreshDatabase;
let consumerPool: Pool;
let running: RunningConsumer;
const failures: Error[] = [];

/** Events of one journal partition, as many a second as asked for, until it is stopped. */
class Traffic {
  written = 0;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();
  #producer: Promise<LogProducer> | undefined;

  async append(count: number): Promise<void> {
    this.#producer ??= own.log.producer();
    const inputs = recorded(
      Array.from({ length: count }, (_, index) => {
        const number = this.written + index;
        const act: Note["act"] = number % 7 === 3 ? "line" : "set";
        const key = (number * 11) % keys;
        const poisoned = key === 7 && number > 400;
        const note: Note = { act: poisoned ? "park" : act, value: String(number) };
        const fields = { facility: JSON.stringify(note), authority: "spec" };
        return { type: "VisitUpdated" as const, key: keyOf(key), fields };
      }),
      this.written + 1,
    );
    this.written += count;
    await (await this.#producer).append(
      inputs.map(({ key, event, position }) => ({
        topic,
        partition: Number(key.slice(-4)) % partitions,
        key,
        value: codec.encodeEvent("VisitUpdated", event as never),
        headers: { [positionHeader]: formatPosition(position) },
      })),
    );
  }

  start(perSecond: number): void {
    this.#done = (async () => {
      for (const from = Date.now(), before = this.written; !this.#stopped; ) {
        const due = Math.floor(((Date.now() - from) / 1000) * perSecond) - (this.written - before);
        if (due > 0) await this.append(Math.min(due, 200));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

const traffic = new Traffic();

/**
 * What an analyst's screen would show, again and again, and what it should never have shown: over one session, with the
 * analyst's rights, by a statement prepared once.
 */
class Dashboard {
  readonly wrong: string[] = [];
  looks = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(pool: Pool) {
    let seen = { rows: 0, history: 0, events: 0 };
    const text = `SELECT (SELECT count(*) FROM projections.notes) AS rows, (SELECT count(*) FROM projections.history) AS history,
      (SELECT sum(events) FROM projections.acts) AS events`;
    this.#done = (async () => {
      const client = await pool.connect();
      await client.query("SET ROLE tributary_analyst");
      while (!this.#stopped) {
        try {
          const { rows } = await client.query<typeof seen>({ name: "dashboard", text });
          const [now] = rows as [typeof seen];
          // What one event does to several tables is there as a whole or not at all.
          if (Number(now.events) !== Number(now.history)) this.wrong.push(`${now.events} acts of ${now.history}`);
          for (const name of ["rows", "history", "events"] as const) {
            if (Number(now[name]) < Number(seen[name])) this.wrong.push(`${name} from ${seen[name]} to ${now[name]}`);
            if (Number(now[name]) === 0) this.wrong.push(`no ${name}`);
          }
          seen = now;
          this.looks++;
        } catch (error) {
          this.wrong.push(String(error));
        }
      }
      client.release(true);
    })();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

async function startConsumer(pool: Pool = consumerPool, projection = notes): Promise<RunningConsumer> {
  return runConsumer({
    definition: { name: "notes", project: [projection] },
    log: own.log,
    pool,
    decoder,
    opener: closedOpener,
    logger,
    decisionLog: memoryDecisions([]),
    onFailure: (error) => failures.push(error),
    lookMilliseconds: 100,
  });
}

const end = async () => (await own.log.watermarks(topic)).reduce((sum, { high }) => sum + high, 0);
async function at(build: number): Promise<number> {
  const { rows } = await database.pool.query<{ next: number }>(
    "SELECT coalesce(sum(next_offset), 0)::int AS next FROM engine.checkpoints WHERE projection = 'notes' AND build = $1",
    [build],
  );
  return Number(rows[0]?.next);
}
const states = async () =>
  Object.fromEntries((await listBuilds(database.pool, "notes")).map(({ build, state }) => [build, state]));

const options = (changes: Partial<RebuildOptions> = {}): RebuildOptions => ({
  consumer,
  projection: notes,
  log: own.log,
  pool: database.pool,
  decoder,
  opener: closedOpener,
  logger,
  decisionLog: memoryDecisions([]),
  ...changes,
});

beforeAll(async () => {
  [own, database] = await Promise.all([ownTopics(), freshDatabase()]);
  await own.create(topic, partitions);
  await prepareConsumer(database.pool, consumer, { password: "secret" });
  consumerPool = openPool(database.urlAs("tributary_notes", "secret"), { applicationName: "spec consumer" });
});
afterAll(async () => {
  await running?.close();
  await consumerPool?.end();
  await own?.dispose();
  await database?.drop();
});

describe("a rebuild under traffic", () => {
  it("swap, roll-back and drop show a dashboard no error, no empty table and no step back", async () => {
    await traffic.append(2_000);
    running = await startConsumer();
    const before = await end();
    await vi.waitUntil(async () => (await at(1)) === before, { timeout: 30_000 });
    traffic.start(1_000);
    const dashboard = new Dashboard(database.pool);
    const steps: string[] = [];
    const rebuilt = await rebuildProjection(
      options({ progress: ({ step }) => steps.at(-1) !== step && steps.push(step) }),
    );
    expect(steps).toEqual(["fill", "catch up", "hand over", "compare", "swap"]);
    expect(rebuilt.filledEvents).toBeGreaterThanOrEqual(2_000);
    expect(rebuilt.comparison).toMatchObject({ differences: [], parkedKeys: 1 });
    expect(rebuilt.comparison?.rows.notes).toBeGreaterThan(200);
    expect(await states()).toEqual({ 1: "previous", 2: "current" });

    await swapBuild(database.pool, notes, 1);
    expect((await currentBuild(database.pool, "notes"))?.build).toBe(1);
    await swapBuild(database.pool, notes, 2);
    const wanted = traffic.written;
    await traffic.stop();
    expect(wanted).toBeGreaterThan(2_500);
    const last = await end();
    // The one before is fed on, until it is dropped.
    for (const build of [1, 2]) await vi.waitUntil(async () => (await at(build)) === last, { timeout: 10_000 });
    const [one, two] = (await listBuilds(database.pool, "notes")) as [Build, Build];
    expect(await stateOfBuild(database.pool, two)).toEqual(await stateOfBuild(database.pool, one));

    expect(await dropBuild(database.pool, "notes", 1)).toBe(true);
    await traffic.append(300);
    const after = await end();
    await vi.waitUntil(async () => (await at(2)) === after, { timeout: 10_000 });
    await dashboard.stop();
    expect(dashboard.wrong).toEqual([]);
    expect(dashboard.looks).toBeGreaterThan(50);
    expect(failures).toEqual([]);
  });

  it("is gone on with where an earlier one was ended, and stops before the swap when told so", async () => {
    const ending = new AbortController();
    const ended = rebuildProjection(
      options({ signal: ending.signal, progress: ({ step }) => step === "fill" && ending.abort(new Error("ended")) }),
    );
    await expect(ended).rejects.toThrow("ended");
    expect(await states()).toEqual({ 2: "current", 3: "building" });
    const rebuilt = await rebuildProjection(options({ swap: false }));
    expect(rebuilt).toMatchObject({ swapped: false, build: { build: 3 } });
    expect(await states()).toEqual({ 2: "current", 3: "building" });
    expect(await rebuildProjection(options())).toMatchObject({ swapped: true, filledEvents: 0, build: { build: 3 } });
    expect(await dropBuild(database.pool, "notes", 2)).toBe(true);
  });

  it("that differs is told, and not put in place", async () => {
    const ready = await rebuildProjection(options({ swap: false }));
    const { build, schema } = ready.build;
    await database.pool.query(`UPDATE "${schema}".notes SET note = 'changed by hand' WHERE visit_id = $1`, [keyOf(5)]);
    const { swapped, comparison } = await rebuildProjection(options());
    expect(swapped).toBe(false);
    expect(comparison?.differences).toEqual([
      expect.objectContaining({ table: "notes", topic, partition: 5 % partitions, what: "clear" }),
    ]);
    expect((await states())[build]).toBe("building");
    expect(await dropBuild(database.pool, "notes", build)).toBe(true);
    expect(failures).toEqual([]);
  });
});

describe("a new version of a definition", () => {
  it("is built beside the old one and takes its place when it has caught up", async () => {
    await running.close();
    const two: typeof notes = { ...notes, version: 2 };
    const dashboard = new Dashboard(database.pool);
    const before = (await currentBuild(database.pool, "notes"))?.build as number;
    running = await startConsumer();
    // Made from the log while the processes of the version before run on, and feed what readers see.
    const waits = { code: "TRIB_REPLAY_NOT_TAKEN_UP", message: expect.stringContaining("processes of this version") };
    const beside = rebuildProjection({
      ...options({ handOverTimeout: 100 }),
      projection: two,
      consumer: { name: "notes", project: [two] },
    });
    await expect(Promise.all([beside, traffic.append(400)])).rejects.toMatchObject(waits);
    await traffic.append(50);
    const later = await end();
    await vi.waitUntil(async () => (await at(before)) === later, { timeout: 10_000 });
    expect((await currentBuild(database.pool, "notes"))?.build).toBe(before);
    const made = (await listBuilds(database.pool, "notes")).at(-1);
    await prepareConsumer(database.pool, { name: "notes", project: [two] }, { password: "secret" });
    expect((await listBuilds(database.pool, "notes")).at(-1)).toEqual(made);
    await running.close();
    running = await startConsumer(consumerPool, two);
    const versions = watchVersions({ pool: database.pool, projections: [two], logger, interval: 50 });
    await vi.waitUntil(async () => (await currentBuild(database.pool, "notes"))?.version === 2, { timeout: 20_000 });
    await versions.stop();
    expect(await end()).toBe(await at((await currentBuild(database.pool, "notes"))?.build ?? 0));
    // Back to the old definition: its build is still there, and is put in its place again by who wants it.
    await running.close();
    running = await startConsumer(consumerPool, notes);
    const both = [notes, two].map((one) =>
      watchVersions({ pool: database.pool, projections: [one], logger, interval: 20 }),
    );
    const shown: unknown[] = [];
    const look = async (milliseconds: number) => {
      for (const until = Date.now() + milliseconds; Date.now() < until; ) {
        shown.push((await currentBuild(database.pool, "notes"))?.build);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await look(400);
    await swapBuild(database.pool, notes, before);
    await look(400);
    await Promise.all(both.map((one) => one.stop()));
    // Of two versions at once neither takes the other's place: one change, the one asked for.
    expect(shown.filter((build, index) => index === 0 || build !== shown[index - 1])).toEqual([made?.build, before]);
    await dashboard.stop();
    expect(dashboard.wrong).toEqual([]);
    expect(failures).toEqual([]);
  });

  it("is filled by a rebuild, however often that ends, while its processes run and wait for it", async () => {
    const dashboard = new Dashboard(database.pool);
    const three = { ...notes, version: 3 };
    const definition = { name: "notes", project: [three] };
    const builds = async () => (await listBuilds(database.pool, "notes")).filter(({ version }) => version === 3);
    // As it was made for lanes, which have read nothing yet.
    await prepareConsumer(database.pool, definition, { password: "secret" });
    const made = (await beginVersion(database.pool, three, "notes")) as Build;
    expect(await beginVersion(database.pool, three, "notes")).toEqual(made);
    await prepareConsumer(database.pool, definition, { password: "secret" });
    expect(await builds()).toEqual([made]);
    expect(made).toMatchObject({ feed: "rebuild", state: "building", indexed: false });
    await running.close();
    running = await startConsumer(consumerPool, three);
    await vi.waitUntil(() => running.ready(), { timeout: 20_000 });
    let fills = 0;
    const fill = async (_name: string, signal: AbortSignal) => {
      fills++;
      const ending = new AbortController();
      const isEnded = fills === 1;
      const progress = () => isEnded && ending.abort(new Error("killed"));
      const given = options({ swap: false, signal: AbortSignal.any([signal, ending.signal]), progress });
      return rebuildProjection({ ...given, projection: three, consumer: definition }).then(
        () => 0,
        () => null,
      );
    };
    await traffic.append(300);
    await fillVersions({ pool: database.pool, projections: [three], logger, fill, firstPause: 20 }).ended;
    expect(fills).toBe(2);
    expect(await builds()).toEqual([{ ...made, feed: "consumer", indexed: true }]);
    await traffic.append(100);
    const versions = watchVersions({ pool: database.pool, projections: [three], logger, interval: 50 });
    await vi.waitUntil(async () => (await currentBuild(database.pool, "notes"))?.build === made.build, {
      timeout: 20_000,
    });
    await versions.stop();
    const last = await end();
    await vi.waitUntil(async () => (await at(made.build)) === last, { timeout: 10_000 });
    await dashboard.stop();
    expect(dashboard.wrong).toEqual([]);
    expect(failures).toEqual([]);
  });

  it("is left to the lanes of its processes where it can't be filled", async () => {
    const four = { ...notes, version: 4 };
    const made = (await beginVersion(database.pool, four, "notes")) as Build;
    await prepareConsumer(database.pool, { name: "notes", project: [four] }, { password: "secret" });
    const before = (await currentBuild(database.pool, "notes")) as Build;
    await running.close();
    running = await startConsumer(consumerPool, four);
    const fill = vi.fn(async () => 70);
    await fillVersions({ pool: database.pool, projections: [four], logger, fill, firstPause: 20 }).ended;
    expect(fill).toHaveBeenCalledTimes(3);
    const last = await end();
    await vi.waitUntil(async () => (await at(made.build)) === last, { timeout: 20_000 });
    // What lanes have made is not begun again.
    expect(await beginVersion(database.pool, four, "notes")).toBeUndefined();
    const [build] = (await listBuilds(database.pool, "notes")).filter(({ version }) => version === 4);
    expect(build).toEqual({ ...made, feed: "consumer", indexed: true });
    expect(await stateOfBuild(database.pool, made)).toEqual(await stateOfBuild(database.pool, before));
    expect(failures).toEqual([]);
  });
});
