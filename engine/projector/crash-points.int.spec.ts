import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { runCrashConsumer } from "../testing/crash-consumer.js";
import { crashHistory, crashTopic, parkedKeysOfHistory } from "../testing/crash-history.js";
import { type ChildWork, recordsOf, runChild } from "../testing/crash-process.js";
import { crashPorts, crashProjection } from "../testing/crash-projection.js";
import { CrashTally, chosenPoints, inTurns } from "../testing/crash-tally.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import type { MemoryLog } from "../testing/memory-log.js";
import { type Build, ensureBuild } from "./build.js";
import { verifyProjection } from "./verify.js";

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

/** An empty build in place of the one before. */
async function freshBuild({ pool }: FreshDatabase): Promise<Build> {
  await dropBuilds(pool, crashProjection.name);
  return ensureBuild(pool, crashProjection, "crash");
}

const workOn = (database: FreshDatabase, log: MemoryLog): ChildWork => ({
  kind: "consumer",
  databaseUrl: database.url,
  partitions,
  batchRecords,
  journal: "",
  records: recordsOf(log, crashTopic, partitions),
});

describe("a consumer that is killed at a call", () => {
  it(
    "leaves a build that its successor finishes to the rows of the pure fold",
    async () => {
      const tally = new CrashTally();
      const seeds = Array.from({ length: chaosSize(1, 3) }, (_, index) => firstSeed() + index);
      for (const seed of seeds) {
        const log = await crashHistory(seed, { batchRecords });
        const finished = async (database: FreshDatabase, build: Build, where: string) => {
          const { decoder, opener } = crashPorts();
          const found = await verifyProjection({
            projection: crashProjection,
            build,
            log,
            pool: database.pool,
            decoder,
            opener,
          });
          expect(found.differences, where).toEqual([]);
          const ends = [0, 1].map((partition) => [String(partition), log.records(crashTopic, partition).length]);
          expect(found.vector, where).toEqual({ [crashTopic]: Object.fromEntries(ends) });
          const { rows } = await database.pool.query("SELECT FROM engine.parked_keys WHERE state = 'parked'");
          expect(rows, where).toHaveLength(parkedKeysOfHistory);
          return found.events;
        };

        const [first] = databases as [FreshDatabase];
        const build = await freshBuild(first);
        const whole = await runChild(workOn(first, log), log);
        if (!("calls" in whole)) throw new Error("a child without a fail point died");
        await finished(first, build, `seed ${seed}, never killed`);

        await inTurns(chosenPoints(whole.calls, seed, 9), places, async (point, place) => {
          const database = databases[place] as FreshDatabase;
          const where = `seed ${seed}, killed ${point.moment} call ${point.call}`;
          const own = await freshBuild(database);
          const end = await runChild(workOn(database, log), log, point);
          tally.take(end);
          await runCrashConsumer(database.url, log);
          tally.events += await finished(database, own, where);
        });
      }
      recordChaos({
        guarantee: "A crash at any input or output call changes no row",
        spec: "engine/projector/crash-points.int.spec.ts",
        seeds: seeds.length,
        ...tally.figures(),
        violations: 0,
      });
    },
    chaosSize(180_000, 3_600_000),
  );
});
