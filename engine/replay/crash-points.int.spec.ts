import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Build, ensureBuild, listBuilds } from "../projector/build.js";
import { verifyProjection } from "../projector/verify.js";
import { stateOfBuild } from "../testing/build-state.js";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { runCrashConsumer } from "../testing/crash-consumer.js";
import { crashHistory, crashTopic, parkedKeysOfHistory } from "../testing/crash-history.js";
import { type ChildWork, recordsOf, runChild } from "../testing/crash-process.js";
import { crashPorts, crashProjection } from "../testing/crash-projection.js";
import { runCrashRebuild } from "../testing/crash-rebuild.js";
import { CrashTally, chosenPoints, inTurns } from "../testing/crash-tally.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import type { MemoryLog } from "../testing/memory-log.js";

/** Children at once. */
const places = 2;
const partitions = 2;
const batchRecords = 6;
let databases: FreshDatabase[];

beforeAll(async () => {
  databases = await Promise.all(Array.from({ length: places }, () => freshDatabase()));
});
afterAll(async () => {
  await Promise.all((databases ?? []).map((database) => database.drop()));
});

const rowsShown = async ({ pool }: FreshDatabase): Promise<unknown> =>
  (await pool.query("SELECT count(*)::int AS visits, sum(times)::int AS times FROM projections.crash_visits")).rows[0];

/** The build that lanes made, alone. */
async function madeByLanes({ pool, url }: FreshDatabase, log: MemoryLog): Promise<Build> {
  await dropBuilds(pool, crashProjection.name);
  const build = await ensureBuild(pool, crashProjection, "crash");
  await runCrashConsumer(url, log);
  return build;
}

const workOn = (database: FreshDatabase, log: MemoryLog): ChildWork => ({
  kind: "rebuild",
  databaseUrl: database.url,
  partitions,
  batchRecords,
  journal: "",
  records: recordsOf(log, crashTopic, partitions),
});

describe("a rebuild that is killed at a call", () => {
  it(
    "once it is whole (handed over, compared, swapped) shows all rows at any moment, and is done by the next one",
    async () => {
      const tally = new CrashTally();
      const seed = firstSeed();
      const log = await crashHistory(seed, { batchRecords });
      const whole = (database: FreshDatabase): ChildWork => ({ ...workOn(database, log), whole: true });
      const [first] = databases as [FreshDatabase];
      await madeByLanes(first, log);
      const shown = await rowsShown(first);
      const counted = await runChild(whole(first), log);
      if (!("calls" in counted)) throw new Error("a child without a fail point died");
      expect(counted.calls.length).toBeGreaterThan(10);
      await inTurns(chosenPoints(counted.calls, seed, 4), places, async (point, place) => {
        const database = databases[place] as FreshDatabase;
        const where = `seed ${seed}, killed ${point.moment} call ${point.call} from the hand-over on`;
        const live = await madeByLanes(database, log);
        const state = await stateOfBuild(database.pool, live);
        tally.take(await runChild(whole(database), log, point));
        expect(await rowsShown(database), where).toEqual(shown);
        await runCrashRebuild(database.url, log, undefined, { whole: true });
        const builds = await listBuilds(database.pool, crashProjection.name);
        const current = builds.filter((build) => build.state === "current");
        expect(
          builds.filter((build) => build.state === "building"),
          where,
        ).toEqual([]);
        expect(current, where).toHaveLength(1);
        expect(current[0]?.build, where).not.toBe(live.build);
        expect(await stateOfBuild(database.pool, current[0] as Build), where).toEqual(state);
        expect(await rowsShown(database), where).toEqual(shown);
        tally.events += log.records(crashTopic, 0).length + log.records(crashTopic, 1).length;
      });
      recordChaos({
        guarantee:
          "A rebuild that is killed while it is handed over, compared and swapped leaves all rows in view, and is finished",
        spec: "engine/replay/crash-points.int.spec.ts",
        seeds: 1,
        ...tally.figures(),
        violations: 0,
      });
    },
    chaosSize(120_000, 1_800_000),
  );

  it(
    "is finished by the next one to the rows that lanes made, and the pure fold",
    async () => {
      const tally = new CrashTally();
      const seeds = Array.from({ length: chaosSize(1, 3) }, (_, index) => firstSeed() + index);
      for (const seed of seeds) {
        const log = await crashHistory(seed, { batchRecords });
        const rebuilt = async ({ pool }: FreshDatabase) =>
          (await listBuilds(pool, crashProjection.name)).find(({ feed }) => feed === "rebuild") as Build;
        const finished = async (database: FreshDatabase, live: Build, where: string) => {
          const { pool } = database;
          const build = await rebuilt(database);
          expect(await stateOfBuild(pool, build), where).toEqual(await stateOfBuild(pool, live));
          const found = await verifyProjection({ projection: crashProjection, build, log, pool, ...crashPorts() });
          expect(found, where).toMatchObject({ differences: [], parkedKeys: parkedKeysOfHistory });
          return found.events;
        };

        const [first] = databases as [FreshDatabase];
        const live = await madeByLanes(first, log);
        const whole = await runChild(workOn(first, log), log);
        if (!("calls" in whole)) throw new Error("a child without a fail point died");
        await finished(first, live, `seed ${seed}, never killed`);

        await inTurns(chosenPoints(whole.calls, seed, 9), places, async (point, place) => {
          const database = databases[place] as FreshDatabase;
          const where = `seed ${seed}, killed ${point.moment} call ${point.call}`;
          const own = await madeByLanes(database, log);
          tally.take(await runChild(workOn(database, log), log, point));
          await runCrashRebuild(database.url, log);
          tally.events += await finished(database, own, where);
        });
      }
      recordChaos({
        guarantee: "A rebuild that is killed at any input or output call is finished to the same rows",
        spec: "engine/replay/crash-points.int.spec.ts",
        seeds: seeds.length,
        ...tally.figures(),
        violations: 0,
      });
    },
    chaosSize(180_000, 3_600_000),
  );
});
