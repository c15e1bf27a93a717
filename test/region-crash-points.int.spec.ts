import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Build, ensureBuild, listBuilds } from "../engine/projector/build.js";
import { Decisions } from "../engine/projector/decisions.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import { dropBuild } from "../engine/projector/swap.js";
import { verifyProjection } from "../engine/projector/verify.js";
import type { ConsumerDefinition } from "../engine/service/consumer.js";
import { consumerNames, loadConsumer } from "../engine/service/discover.js";
import { stateOfBuild } from "../engine/testing/build-state.js";
import { chaosSize, firstSeed, recordChaos } from "../engine/testing/chaos.js";
import { runCrashConsumer } from "../engine/testing/crash-consumer.js";
import { type ChildWork, recordsOf, runChild } from "../engine/testing/crash-process.js";
import { crashPorts } from "../engine/testing/crash-projection.js";
import { runCrashRebuild } from "../engine/testing/crash-rebuild.js";
import { CrashTally, inTurns } from "../engine/testing/crash-tally.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../engine/testing/database.js";
import { type FailPoint, failPointsOf } from "../engine/testing/failpoints.js";
import { memoryDecisions } from "../engine/testing/projection-bench.js";
import { Chance } from "../engine/testing/simulation/random.js";
import { partitions, type RegionHistory, regionHistory } from "./crash/region-history.js";

/** Processes to be killed, of them in one region with one consumer. */
const kills = chaosSize(3, 1_000);
const killsOfOne = chaosSize(4, 26);
/** People of a region: events and calls grow with them. */
const patients = chaosSize(6, 10);
/** Children at once, each with a database of its own. */
const places = 2;
const batchRecords = 12;
/** Memory in which some partitions of a region have room. */
const memoryBytes = 60_000;
const nothingForgotten: ReadonlySet<string> = new Set();

let databases: FreshDatabase[];
let definitions: ConsumerDefinition[];
beforeAll(async () => {
  databases = await Promise.all(Array.from({ length: places }, () => freshDatabase()));
  definitions = (await Promise.all(consumerNames().map(loadConsumer))).filter(({ project }) => project.length > 0);
});
afterAll(async () => {
  await Promise.all((databases ?? []).map((database) => database.drop()));
});

/** One consumer over one region. */
class Round {
  readonly #definition: ConsumerDefinition;
  readonly #history: RegionHistory;
  readonly #decided;
  readonly #records: ChildWork["records"];

  constructor(definition: ConsumerDefinition, history: RegionHistory) {
    this.#definition = definition;
    this.#history = history;
    this.#decided = history.decided(definition.project.map(({ name }) => name));
    this.#records = history.topics.flatMap((topic) => recordsOf(history.log, topic, partitions));
  }

  /** Runs a child. Nobody is forgotten while it reads: what it wrote of the erased has to go by the events. */
  child(database: FreshDatabase, kind: "consumer" | "rebuild", projection: string, point?: FailPoint) {
    const work: ChildWork = {
      kind,
      databaseUrl: database.url,
      partitions,
      batchRecords,
      journal: "",
      consumer: this.#definition.name,
      projection,
      decided: this.#decided,
      memoryBytes,
      records: this.#records,
    };
    return runChild(work, this.#history.log, point);
  }

  /** Empty builds in place of those before. */
  async fresh({ pool }: FreshDatabase): Promise<void> {
    for (const { name } of this.#definition.project) await dropBuilds(pool, name);
    for (const projection of this.#definition.project) await ensureBuild(pool, projection, this.#definition.name);
  }

  /** Lets the consumer read all. */
  live(database: FreshDatabase, forgotten = this.#history.forgotten): Promise<void> {
    const given = { definition: this.#definition, forgotten, decided: this.#decided };
    return runCrashConsumer(database.url, this.#history.log, undefined, given);
  }

  /** Finishes a rebuild, or makes one, compares it with what is live, both with what verify computes, and drops it. */
  async finish(database: FreshDatabase, projection: AnyProjection, where: string): Promise<number> {
    const { pool, url } = database;
    const { log, forgotten } = this.#history;
    const decided = this.#decided;
    const consumer = this.#definition.name;
    await runCrashRebuild(url, log, undefined, { projection, consumer, forgotten, decided, memoryBytes });
    const builds = await listBuilds(pool, projection.name);
    const live = builds.find(({ feed }) => feed === "consumer") as Build;
    const rebuilt = builds.find(({ feed }) => feed === "rebuild") as Build;
    expect(await this.#state(database, projection, rebuilt), where).toEqual(
      await this.#state(database, projection, live),
    );
    const decisions = new Decisions(memoryDecisions([...decided]), projection.name);
    await decisions.load();
    let events = 0;
    for (const build of [live, rebuilt]) {
      const found = await verifyProjection({ projection, build, log, pool, decisions, ...crashPorts(forgotten) });
      expect(found.differences, where).toEqual([]);
      const read = Object.entries(found.vector).flatMap(([topic, ends]) =>
        Object.entries(ends).map(([partition, end]) => end - log.records(topic, Number(partition)).length),
      );
      expect(new Set(read), where).toEqual(new Set([0]));
      events += found.events;
    }
    await dropBuild(pool, projection.name, rebuilt.build);
    return events;
  }

  /** Without what is derived: it follows in its own time, and is a function of the rest. */
  async #state({ pool }: FreshDatabase, projection: AnyProjection, build: Build) {
    const state = Object.entries(await stateOfBuild(pool, build));
    return Object.fromEntries(state.filter(([name]) => !(name in (projection.derived ?? {}))));
  }
}

describe("a region's read models whose consumer, or whose rebuild, is killed at a call", () => {
  it(
    "are live what is rebuilt and verified, parked keys, merges and erased patients included",
    async () => {
      const tally = new CrashTally();
      const seen = { merges: 0, forgotten: 0, parked: 0 };
      let seed = firstSeed();
      for (; tally.kills < kills; seed++) {
        const chance = new Chance(seed);
        const history = await regionHistory(seed, { patients, batchRecords });
        seen.merges += history.merges;
        seen.forgotten += history.forgotten.size;
        const shuffled = definitions.map((one) => ({ one, order: chance.next() })).sort((a, b) => a.order - b.order);
        for (const { one: definition } of shuffled) {
          if (tally.kills >= kills) break;
          const round = new Round(definition, history);
          const { name } = chance.pick(definition.project);
          const projection = definition.project.find((each) => each.name === name) as AnyProjection;
          await Promise.all(
            databases.map(async (database) => {
              await round.fresh(database);
              await round.live(database, nothingForgotten);
            }),
          );
          const [first] = databases as [FreshDatabase];
          // How many calls there are; as it was never killed, it is finished already.
          const rebuilding = await round.child(first, "rebuild", name);
          tally.events += await round.finish(first, projection, `seed ${seed}, ${name} rebuilt, never killed`);
          await round.fresh(first);
          const reading = await round.child(first, "consumer", name);
          const { rows } = await first.pool.query("SELECT FROM engine.parked_keys WHERE state = 'parked'");
          seen.parked += rows.length;
          tally.events += await round.finish(first, projection, `seed ${seed}, ${definition.name}, never killed`);
          if (!("calls" in rebuilding) || !("calls" in reading)) throw new Error("a child without a fail point died");
          const points = (["rebuild", "consumer"] as const).flatMap((kind) => {
            const all = failPointsOf((kind === "rebuild" ? rebuilding : reading).calls);
            return Array.from({ length: Math.ceil(killsOfOne / 2) }, () => ({ kind, point: chance.pick(all) }));
          });
          // Rebuilds first: they need what is live.
          await inTurns(points, places, async ({ kind, point }, place) => {
            const database = databases[place] as FreshDatabase;
            const where = `seed ${seed}, ${kind} of ${name}, killed ${point.moment} call ${point.call}`;
            if (kind === "consumer") await round.fresh(database);
            tally.take(await round.child(database, kind, name, point));
            if (kind === "consumer") await round.live(database);
            for (const each of kind === "consumer" ? definition.project : [projection]) {
              tally.events += await round.finish(database, each, `${where}, ${each.name}`);
            }
          });
        }
      }
      expect(seen.merges).toBeGreaterThan(0);
      expect(seen.forgotten).toBeGreaterThan(0);
      expect(seen.parked).toBeGreaterThan(0);
      recordChaos({
        guarantee: "Live = rebuilt = verified over a region's load, whichever of the two was killed at whatever call",
        spec: "test/region-crash-points.int.spec.ts",
        seeds: seed - firstSeed(),
        ...tally.figures(),
        violations: 0,
      });
    },
    chaosSize(180_000, 3_600_000),
  );
});
