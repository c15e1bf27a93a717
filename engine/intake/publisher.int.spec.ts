import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import type { LaneContext, LogProducer } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { TributaryError } from "../service/errors.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import {
  appendUnits,
  consume,
  eventsTopicOfScript,
  genesis,
  hashOfScript,
  type ScriptedUnit,
  scriptedEntry,
} from "../testing/journal-script.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import { shakyPool, shakyProducer } from "../testing/shaky.js";
import { intakeCounts } from "./journal.js";
import { uuidOf } from "./keyed-hash.js";
import { startPublisher } from "./publisher.js";
import { PublisherLane, type PublisherLaneOptions } from "./publisher-lane.js";

const codec = standaloneCodec();
let database: FreshDatabase;
let journal: string;
let log: MemoryLog;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());
/** A new journal and an empty ledger for every case. */
async function restart(partitions = 2): Promise<void> {
  await database.pool.query(`TRUNCATE engine.publisher_checkpoints, engine.intake_counts, engine.ledger,
    engine.ledger_latest, engine.control_ids`);
  journal = randomUUID();
  log = memoryLog({ partitions, batchRecords: 7 });
  const producer = await log.producer();
  for (let partition = 0; partition < partitions; partition += 1) {
    await appendUnits(producer, codec, partition, [genesis(journal)]);
  }
}
beforeEach(() => restart());

async function receive(partition: number, units: readonly ScriptedUnit[]): Promise<void> {
  const entries = units.map((unit, ordinal) => scriptedEntry(unit, ordinal));
  await appendUnits(await log.producer(), codec, partition, entries);
}

/** All events that a consumer sees, event partition by event partition, for one journal partition. */
function seen(partition: number): string[][] {
  return [0, 1].map((events) =>
    consume(log.records(eventsTopicOfScript, events))
      .filter(({ position }) => position.partition === partition)
      .map(({ value }) => value),
  );
}
/** The same texts spread as the log spreads them. */
const spread = (texts: readonly string[]): string[][] =>
  [0, 1].map((partition) => texts.filter((text) => log.partitionOf(text.split(":")[0] as string) === partition));

interface Owner {
  readonly lane: PublisherLane;
  readonly context: LaneContext & { owned: boolean };
  /** Handles what the journal has from the lane's checkpoint on. */
  run(limit?: number): Promise<void>;
}
async function owner(options: Partial<PublisherLaneOptions> = {}): Promise<Owner> {
  const lane = new PublisherLane({
    pool: database.pool,
    producer: await log.producer(),
    codec,
    journal,
    partition: 0,
    owner: "spec",
    batchEntries: 100,
    retryPause: 1,
    fencePatience: 200,
    onRetry: () => {},
    onPublished: () => {},
    ...options,
  });
  const context = {
    owned: true,
    highWatermark: 0,
    isOwned: () => context.owned,
    heartbeat: async () => {},
    seek: () => {},
  };
  return {
    lane,
    context,
    async run(limit = Number.POSITIVE_INFINITY) {
      const from = await lane.open();
      await lane.batch(log.records(journalTopic, 0).slice(from, from + limit), context);
    },
  };
}
const nextOffset = async (): Promise<number> =>
  (await database.pool.query("SELECT next_offset FROM engine.publisher_checkpoints WHERE partition = 0")).rows[0]
    .next_offset;

describe("the publisher", () => {
  it("publishes every accepted unit's events once, with positions, and counts", async () => {
    const times = [50, 40, 60];
    log.clock = () => times.shift() ?? 70;
    await receive(0, [
      { content: "a", events: ["p:1", "q:2"], controlId: "1" },
      { content: "b", accepted: false, events: [] },
      { content: "a", events: ["p:1", "q:2"], controlId: "1" },
      { content: "c", events: ["p:3"], controlId: "1" },
      { content: "isa", entry: "ENVELOPE", rule: "NONE" },
      { content: "no identity", rule: "NONE", events: ["p:4"] },
    ]);
    const failures: Error[] = [];
    let published: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      published = resolve;
    });
    const publisher = await startPublisher({
      log,
      pool: database.pool,
      codec,
      journal,
      onFailure: (error) => failures.push(error),
      onPublished: ({ partition, nextOffset }) => partition === 0 && nextOffset === 7 && published(),
    });
    await done;
    await publisher.close();
    expect(failures).toEqual([]);
    expect(seen(0)).toEqual(spread(["p:1", "q:2", "p:3", "p:4"]));
    const events = [0, 1].flatMap((partition) => log.records(eventsTopicOfScript, partition));
    expect(events.map(({ headers }) => headers.position).sort()).toEqual([
      `${journal}:0:1:0:50`,
      `${journal}:0:1:1:50`,
      `${journal}:0:4:0:70`,
      `${journal}:0:6:0:70`,
    ]);
    expect(await intakeCounts(database.pool)).toMatchObject({
      units: 5,
      accepted: 4,
      rejected: 1,
      resends: 1,
      reusedIds: 1,
      events: 4,
    });
  });

  it("gives recorded times that never go back, the same after a restart", async () => {
    const times = [100, 90, 95, 120, 110];
    log.clock = () => times.shift() ?? 130;
    await receive(
      0,
      ["a", "b", "c", "d", "e"].map((content) => ({ content, events: [`p:${content}`] })),
    );
    await (await owner({ batchEntries: 2 })).run(2);
    await (await owner({ batchEntries: 2 })).run();
    const [left, right] = [0, 1].map((partition) => consume(log.records(eventsTopicOfScript, partition)));
    expect([...(left ?? []), ...(right ?? [])].map(({ position }) => position.recordedAt)).toEqual([
      100, 100, 100, 120, 120,
    ]);
  });

  it("takes A, B, A of one resource as three facts, A, A as one, over any cut", async () => {
    const units = ["A", "A", "B", "A", "A"].map(
      (content, index): ScriptedUnit => ({
        content,
        rule: "LATEST",
        resource: "r",
        events: [`p:${index}`],
      }),
    );
    await receive(0, [...units, { content: "A", rule: "LATEST", resource: "s", events: ["p:s"] }]);
    for (let cut = 0; cut < 6; cut += 1) await (await owner()).run(1);
    expect(seen(0)).toEqual(spread(["p:0", "p:2", "p:3", "p:s"]));
    expect((await intakeCounts(database.pool)).resends).toBe(2);
  });

  it("a complete transmission's closing entry enters the ledger, without being a unit", async () => {
    await receive(0, [{ content: "interchange", entry: "CLOSING" }]);
    await (await owner()).run();
    const { rows } = await database.pool.query("SELECT partition, journal_offset FROM engine.ledger");
    expect(rows).toEqual([{ partition: 0, journal_offset: 1 }]);
    expect((await intakeCounts(database.pool)).units).toBe(0);
  });

  it("stops at another journal, a gap, and a record that is no entry", async () => {
    const one = await owner();
    await receive(0, [{ content: "a" }]);
    // Left by a second installer of the same journal: the first opening entry is the one that counts.
    await appendUnits(await log.producer(), codec, 0, [genesis(randomUUID())]);
    await one.run();
    const stranger = await owner({ journal: randomUUID() });
    await expect(stranger.lane.open()).rejects.toMatchObject({ code: "TRIB_INTAKE_JOURNAL_CHANGED" });
    const records = log.records(journalTopic, 0);
    const from = await one.lane.open();
    const last = records.at(-1) as (typeof records)[number];
    await expect(one.lane.batch([{ ...last, offset: from + 5 }], one.context)).rejects.toMatchObject({
      code: "TRIB_LOG_TRUNCATED",
    });
    const empty = [{ ...last, offset: from, value: null }];
    await expect(one.lane.batch(empty, one.context)).rejects.toMatchObject({ code: "TRIB_INTAKE_JOURNAL_INVALID" });
    expect(await nextOffset()).toBe(3);
  });
});

describe("a lone owner", () => {
  it("gets through lost statements and failed sends by itself", async () => {
    const units = Array.from({ length: 30 }, (_, index) => ({ content: `${index % 20}`, events: [`p:${index}`] }));
    for (let round = 0; round < 20; round += 1) {
      await restart();
      await receive(0, units);
      let turn = round;
      const roll = (): number => (turn++ * 7) % 10;
      const producer = shakyProducer(log, await log.producer(), roll);
      const { lane, context } = await owner({ pool: shakyPool(database.pool, roll), producer, batchEntries: 9 });
      await lane.open();
      await lane.batch(log.records(journalTopic, 0).slice(1), context);
      expect(await nextOffset()).toBe(31);
      expect(seen(0)).toEqual(spread(units.slice(0, 20).flatMap(({ events }) => events)));
    }
  });

  it("waits for another partition that is just taking the same identity, and finds itself second", async () => {
    await receive(0, [{ content: "a", events: ["p:1"], controlId: "1" }]);
    const one = await owner();
    const other = await database.pool.connect();
    await other.query("BEGIN");
    const identity = uuidOf(hashOfScript("a"));
    await other.query("INSERT INTO engine.ledger VALUES ($1, 1, 1)", [identity]);
    await other.query("INSERT INTO engine.control_ids VALUES ($1, $2, 1, 1)", [
      uuidOf(hashOfScript("control 1")),
      identity,
    ]);
    const run = one.run();
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await database.pool.query(waiting)).rowCount === 0);
    await other.query("COMMIT");
    other.release();
    await run;
    expect(seen(0)).toEqual([[], []]);
    expect(await intakeCounts(database.pool)).toMatchObject({ units: 1, resends: 1, reusedIds: 0, events: 0 });
  });
});

describe("two owners of one partition", () => {
  /** A producer that stops before it sends, until it is let go. */
  async function frozenProducer(): Promise<LogProducer & { reached: Promise<void>; thaw: () => void }> {
    const inner = await log.producer();
    let reach: () => void = () => {};
    let thaw: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const thawed = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    return {
      ...inner,
      reached,
      thaw,
      async append(records) {
        reach();
        await thawed;
        return inner.append(records);
      },
    };
  }
  const units = Array.from({ length: 10 }, (_, index) => ({
    content: `${index}`,
    events: [`p:${index}`, `q:${index}`],
  }));
  const texts = units.flatMap(({ events }) => events);

  it("a frozen one that comes back repeats, but never moves the checkpoint or counts", async () => {
    await receive(0, units);
    const producer = await frozenProducer();
    const frozen = await owner({ producer });
    const batch = frozen.run(6);
    await producer.reached;
    await (await owner({ batchEntries: 4 })).run();
    expect(await nextOffset()).toBe(11);
    frozen.context.owned = false;
    producer.thaw();
    await batch;
    expect(log.records(eventsTopicOfScript, 0).length + log.records(eventsTopicOfScript, 1).length).toBe(20 + 12);
    expect(seen(0)).toEqual(spread(texts));
    expect(await nextOffset()).toBe(11);
    expect(await intakeCounts(database.pool)).toMatchObject({ units: 10, events: 20, resends: 0 });
  });

  it("one that goes on believing in its lane stops loudly", async () => {
    await receive(0, units);
    const producer = await frozenProducer();
    const frozen = await owner({ producer });
    const batch = frozen.run();
    await producer.reached;
    await (await owner()).lane.open();
    producer.thaw();
    await expect(batch).rejects.toMatchObject({ code: "TRIB_INTAKE_FENCE_LOST" });
    expect(await nextOffset()).toBe(1);
  });

  it("whatever fails, a consumer sees every event once and in order, and every unit is counted once", async () => {
    const action = fc.record({
      size: fc.integer({ min: 1, max: 6 }),
      limit: fc.integer({ min: 1, max: 12 }),
    });
    const content = fc.constantFrom(..."abcdefghij");
    const unit = fc.record({ content, accepted: fc.boolean(), controlId: fc.constantFrom("1", "2") });
    await fc.assert(
      fc.asyncProperty(
        fc.array(unit, { minLength: 1, maxLength: 25 }),
        fc.array(action, { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
        async (drafts, actions, luck) => {
          await restart();
          const scripted = drafts.map(({ content, accepted, controlId }, index) => ({
            content,
            accepted,
            controlId,
            events: accepted ? [`p:${content}${index}`, `q:${content}${index}`, `r:${content}${index}`] : [],
          }));
          await receive(0, scripted);
          const roll = (): number => luck.next().value as number;
          // At once: each opens, reads on from what it believes, and may be shut out by another at any statement.
          const attempt = async ({ size, limit }: (typeof actions)[number]) => {
            const one = await owner({
              producer: shakyProducer(log, await log.producer(), roll),
              pool: shakyPool(database.pool, roll),
              batchEntries: size,
              fencePatience: 0,
            });
            await one.run(limit).catch((error: unknown) => {
              if ((error as TributaryError).code === "TRIB_INTAKE_FENCE_LOST") return;
              if ((error as TributaryError).code === "TRIB_STORE_UNAVAILABLE") return;
              throw error;
            });
          };
          await Promise.all(actions.map(attempt));
          await (await owner()).run();

          const firsts = new Set<string>();
          const expected = scripted.filter(({ content, accepted }) => {
            if (!accepted || firsts.has(content)) return false;
            firsts.add(content);
            return true;
          });
          expect(seen(0)).toEqual(spread(expected.flatMap(({ events }) => events)));
          const accepted = scripted.filter((one) => one.accepted).length;
          expect(await intakeCounts(database.pool)).toMatchObject({
            units: scripted.length,
            accepted,
            resends: accepted - expected.length,
            events: expected.length * 3,
          });
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  });
});
