import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import { journalTopic } from "../log/schemas.js";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { appendUnits, consume, eventsTopicOfScript, genesis, scriptedEntry } from "../testing/journal-script.js";
import { memoryLog } from "../testing/memory-log.js";
import { chaoticPool, dice, noHits } from "../testing/store-chaos.js";
import { intakeCounts } from "./journal.js";
import { PublisherLane } from "./publisher-lane.js";

const codec = standaloneCodec();
let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  // Not taken back with a transaction: each statement that moves or takes a checkpoint has a number of its own.
  await database.pool.query(`
    CREATE SEQUENCE engine.nth;
    CREATE FUNCTION engine.strike() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE nth bigint := nextval('engine.nth');
    BEGIN
      PERFORM pg_sleep(0.003);
      IF nth % 9 = 4 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
      IF nth % 9 = 7 THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER strike BEFORE INSERT ON engine.intake_counts FOR EACH STATEMENT EXECUTE FUNCTION engine.strike();
    CREATE TRIGGER strike BEFORE INSERT ON engine.ledger FOR EACH STATEMENT EXECUTE FUNCTION engine.strike()`);
});
afterAll(() => database?.drop());

const partitions = [0, 1];
const unitsOfPartition = 24;

describe("the publisher through a bad network to a troubled server", () => {
  it("publishes every unit's events once and in order, and counts every unit once", async () => {
    const hits = noHits();
    const seeds = chaosSize(4, 100);
    let events = 0;
    for (let seed = firstSeed(); seed < firstSeed() + seeds; seed++) {
      await database.pool.query(`TRUNCATE engine.publisher_checkpoints, engine.intake_counts, engine.ledger,
        engine.ledger_latest, engine.control_ids`);
      const journal = randomUUID();
      const log = memoryLog({ partitions: 2 });
      const producer = await log.producer();
      const roll = dice(seed);
      const wanted = new Map<number, string[]>();
      for (const partition of partitions) {
        const firsts = new Set<string>();
        const units = Array.from({ length: unitsOfPartition }, (_, index) => {
          const content = `${partition}/${roll(16)}`;
          const texts = [`p:${partition}/${index}`, `q:${partition}/${index}`];
          if (!firsts.has(content)) wanted.set(partition, [...(wanted.get(partition) ?? []), ...texts]);
          firsts.add(content);
          return { content, events: texts, controlId: `${partition}/${index}` };
        });
        await appendUnits(producer, codec, partition, [genesis(journal), ...units.map(scriptedEntry)]);
      }
      const chaotic = await chaoticPool(database, { seed, oneIn: 3, hits });
      await Promise.all(
        partitions.map(async (partition) => {
          const lane = new PublisherLane({
            pool: chaotic.pool,
            producer,
            codec,
            journal,
            partition,
            owner: "spec",
            batchEntries: 1 + (seed % 5),
            retryPause: 1,
            fencePatience: 200,
            onRetry: () => {},
            onPublished: () => {},
          });
          const from = await lane.open();
          const records = log.records(journalTopic, partition);
          const context = { highWatermark: records.length, isOwned: () => true, seek: () => {} };
          await lane.batch(records.slice(from), { ...context, heartbeat: async () => {} });
        }),
      ).finally(() => chaotic.close());
      for (const partition of partitions) {
        const texts = wanted.get(partition) ?? [];
        for (const to of partitions) {
          const seen = consume(log.records(eventsTopicOfScript, to)).filter(
            (one) => one.position.partition === partition,
          );
          const belongs = (text: string) => log.partitionOf(text.split(":")[0] as string) === to;
          expect(
            seen.map(({ value }) => value),
            `seed ${seed}`,
          ).toEqual(texts.filter(belongs));
        }
        events += texts.length;
      }
      const { units, resends } = await intakeCounts(database.pool);
      const firsts = [...wanted.values()].flat().length / 2;
      expect({ units, resends }, `seed ${seed}`).toEqual({
        units: 2 * unitsOfPartition,
        resends: 2 * unitsOfPartition - firsts,
      });
    }
    const { rows } = await database.pool.query("SELECT last_value * 2 / 9 AS raised FROM engine.nth");
    recordChaos({
      guarantee: "A failing store does no harm",
      spec: "engine/intake/publisher-store-faults.int.spec.ts",
      seeds,
      kills: 0,
      faults: { ...hits, "serialization failure or deadlock": rows[0].raised },
      events,
      violations: 0,
    });
  }, 600_000);
});
