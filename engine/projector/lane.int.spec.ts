import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TributaryError } from "../service/errors.js";
import { createLogger } from "../service/logger.js";
import type { Pool } from "../store/pool.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, keyOf, mixed, note, notes, published, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { unitPlace } from "../testing/retold-history.js";
import { FedBuild } from "./fed-build.js";
import { FedPartition } from "./fed-partition.js";
import type { FoldWatch } from "./fold-watch.js";
import { listParked } from "./parked.js";
import { Patience } from "./patience.js";

let database: FreshDatabase;
let bench: ProjectionBench;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});
beforeEach(async () => {
  await dropBuilds(database.pool, "notes");
  bench = await ProjectionBench.create(notes, database.pool);
});

describe("a lane on Postgres", () => {
  it("that waits to be opened takes nothing over once its partition is given away", async () => {
    let isOwned = true;
    let asked = 0;
    const away = {
      query: async (...parameters: unknown[]) => {
        asked += 1;
        if (asked > 1) return (database.pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters);
        // Given away while it waits.
        setTimeout(() => {
          isOwned = false;
        }, 0);
        throw new TributaryError("TRIB_STORE_UNAVAILABLE");
      },
    } as unknown as Pool;
    const waiting = bench.lane(topic, 0, { pool: away });
    await expect(waiting.open({ isOwned: () => isOwned })).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    expect((await database.pool.query("SELECT FROM engine.checkpoints")).rowCount).toBe(0);
  });

  it.each([1, 3, 50])(
    "leaves the rows of the pure fold, in batches of %i, with repetitions and a tiny cache",
    async (batch) => {
      bench.append(published(mixed(40)), { numberOfTimes: 2 });
      await bench.run({ batch, cacheRows: 3 });
      bench.append(published(mixed(40)));
      await bench.run({ batch, cacheRows: 3 });
      await expectPure(bench, bench.inputs);
      const { rows } = await database.pool.query("SELECT act, events FROM projections.acts ORDER BY act");
      expect(rows.reduce((sum, row) => sum + row.events, 0)).toBe(80);
    },
  );

  it("parks the key of a bad event; its followers wait, also over a restart; every other key flows", async () => {
    const bad = note(1, "set", "undecodable");
    const before = [note(1, "set", "before"), note(2, "set")];
    const parking = [note(3, "park"), note(4, "throw", "name"), note(5, "overflow"), note(6, "long", "a\0b")];
    bench.append(published([...before, bad, ...parking, note(1, "set", "follower"), note(2, "line")]), {
      undecodable: ({ event }) => event === bad.event,
    });
    await bench.run();
    bench.append(published([note(1, "set", "second follower"), note(3, "set"), note(2, "set", "last")]));
    await bench.run();
    const pure = await expectPure(bench, bench.inputs, ({ event }) => event === bad.event);
    const parked = await listParked(database.pool, { projection: "notes" });
    expect(parked.map(({ key, code }) => [key, code])).toEqual([
      [keyOf(1), "TRIB_PROJECT_EVENT_UNDECODABLE"],
      [keyOf(3), "TRIB_PROJECT_FOLD_PARKED"],
      [keyOf(4), "TRIB_PROJECT_FOLD_FAILED"],
      [keyOf(5), "TRIB_PROJECT_VALUE_INVALID"],
      [keyOf(6), "TRIB_PROJECT_VALUE_INVALID"],
    ]);
    expect(pure.parked.map(({ key, offset: at }) => [key, at])).toEqual(parked.map((row) => [row.key, row.offset]));
    expect(JSON.stringify(parked)).not.toMatch(/secret|name/);
    const one = (await bench.rows("notes")).find(({ row }) => row.visit_id === keyOf(1));
    expect(one?.row.note).toBe("before");
  });

  it("finds the one event that Postgres refuses, in halves, and parks only its key", async () => {
    await database.pool.query("ALTER TABLE build_notes_1.notes ADD CHECK (note <> 'refused')");
    const events = mixed(60, 9);
    events.splice(23, 0, note(20, "set", "first"), note(20, "set", "refused"));
    events.splice(50, 0, note(20, "set", "after"), note(21, "set", "refused"));
    bench.append(published(events).map((event) => ({ ...event, source: { topic, partition: 0, offset: 0 } })));
    await bench.run({ batch: 20 });
    const parked = await listParked(database.pool, { projection: "notes" });
    expect(parked.map(({ key, code }) => [key, code])).toEqual([
      [keyOf(20), "TRIB_PROJECT_WRITE_REFUSED"],
      [keyOf(21), "TRIB_PROJECT_WRITE_REFUSED"],
    ]);
    const refused = new Set(parked.map(({ offset: at }) => at));
    await expectPure(bench, bench.inputs, ({ source }) => refused.has(source.offset));
  });

  it("writes nothing for an owner whose partition was taken over, and its successor loses nothing", async () => {
    bench.append(published(mixed(30, 1)));
    const records = bench.recordsOf(topic, 0);
    const zombie = bench.lane(topic, 0);
    expect(await zombie.open()).toBe(0);
    await zombie.batch(records.slice(0, 10), bench.context(10));
    const successor = bench.lane(topic, 0);
    expect(await successor.open()).toBe(10);
    const before = await bench.rows("history");
    await zombie.batch(records.slice(10, 20), bench.context(20));
    expect(await bench.rows("history")).toEqual(before);
    expect(bench.messages).toContain("another process has taken over this partition; nothing of the batch was written");
    await successor.batch(records.slice(10), bench.context(30));
    await zombie.batch(records.slice(20), bench.context(30));
    await expectPure(bench, bench.inputs);
  });

  it("takes nothing over once its partition is given away, at whatever statement of its opening that is told", async () => {
    bench.append(published(mixed(10, 1)));
    const records = bench.recordsOf(topic, 0);
    const successor = bench.lane(topic, 0);
    await successor.open();
    let statements = 0;
    for (let told = 0; told < 3; told++) {
      statements = 0;
      // Each statement takes long enough for the group to decide otherwise.
      const pool = {
        query: (...parameters: unknown[]) => {
          if (String(parameters[0]).includes("engine.checkpoints")) statements++;
          return (database.pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters);
        },
      } as unknown as Pool;
      const late = bench.lane(topic, 0, { pool });
      const opening = late.open({ isOwned: () => statements < told });
      if (told < 2) await expect(opening).rejects.toMatchObject({ code: "TRIB_PROJECT_FENCE_LOST" });
      else await opening;
    }
    // The last one was told after it had raised the epoch, which nobody can know.
    await successor.batch(records, bench.context(10));
    expect(bench.messages).toContain("another process has taken over this partition; nothing of the batch was written");
    expect(await bench.rows("history")).toEqual([]);
  });

  it("gives a partition back in peace while a statement that came too late is under way", async () => {
    bench.append(published(mixed(30, 1)));
    const records = bench.recordsOf(topic, 0);
    let begun: () => void = () => {};
    let release: () => void = () => {};
    const statement = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const query = async (...parameters: unknown[]) => {
      if ((parameters[0] as { name?: string }).name?.startsWith("write_")) {
        begun();
        await released;
      }
      return (database.pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters);
    };
    const before = bench.lane(topic, 0, { pool: { query } as unknown as Pool });
    await before.open();
    // More is known to come, so the lane does not wait for the statement.
    await before.batch(records.slice(0, 10), bench.context(30));
    await statement;
    const closed = before.close();
    const successor = bench.lane(topic, 0);
    expect(await successor.open()).toBe(0);
    release();
    await closed;
    // Who has been told that a partition is lost ends its process when the group does not take it away.
    expect(bench.messages).toEqual([]);
    await successor.batch(records, bench.context(30));
    await expectPure(bench, bench.inputs);
  });

  it("writes a statement once, also when the network delivers it twice", async () => {
    bench.append(published(mixed(10, 1)));
    const counts: unknown[] = [];
    const query = async (...parameters: unknown[]) => {
      const call = () => (database.pool.query as (...all: unknown[]) => Promise<{ rows: unknown[] }>)(...parameters);
      const result = await call();
      if ((parameters[0] as { name?: string }).name?.startsWith("write_")) counts.push((await call()).rows.length);
      return result;
    };
    await bench.run({ pool: { query } as unknown as Pool });
    expect(counts).toEqual([0]);
    await expectPure(bench, bench.inputs);
  });

  it("stops loudly at an event without position, of another journal, or with a position that another event has", async () => {
    bench.append(published([note(1, "set"), note(1, "set")]));
    const [first, second] = bench.recordsOf(topic, 0);
    let isWatched = false;
    const watch: FoldWatch = {
      begin: () => {
        isWatched = true;
      },
      end: () => {
        isWatched = false;
      },
    };
    const attempt = async (headers: Record<string, string>) => {
      const lane = bench.lane(topic, 0, { watch });
      await lane.open();
      await lane.batch([first!, { ...second!, headers }], bench.context(2));
    };
    await expect(attempt({})).rejects.toMatchObject({ code: "TRIB_PROJECT_POSITION_MISSING" });
    await expect(attempt({ position: "other:0:99999:0:1" })).rejects.toMatchObject({
      code: "TRIB_PROJECT_JOURNAL_UNKNOWN",
    });
    await expect(attempt({ ...first!.headers })).rejects.toMatchObject({ code: "TRIB_PROJECT_POSITION_CONFLICT" });
    expect(await bench.rows("history")).toEqual([]);
    // Else the process would be ended for a fold that is long over.
    expect(isWatched).toBe(false);
  });

  it("gives each fold of a key that is told anew a budget of its own", async () => {
    const told = (value: string, offset: number, of?: number) => {
      const event = note(1, "set", value);
      const origin = of === undefined ? {} : { generation: 1, origin: { journal: "j", partition: 0, offset: of } };
      const meta = { ...(event.event as { meta: object }).meta, ...origin };
      return { ...event, event: { ...event.event, meta }, position: unitPlace(0, offset) };
    };
    bench.append([told("a", 1), told("b", 2), told("c", 3, 1)]);
    const begun: number[] = [];
    await bench.run({ watch: { begin: (offset) => void begun.push(offset), end: () => {} }, batch: 1 });
    // As they came; then all that stood, and all that stands.
    expect(begun).toEqual([0, 1, 0, 1, 2, 1]);
  });

  it("shares the memory for rows with the lanes that are open, not with those that were lost while they opened", async () => {
    const { pool, build } = bench;
    const logger = createLogger("spec", "silent");
    const parts = { log: bench, pool, decoder: bench, opener: bench, logger, owner: "spec" };
    const fed = new FedBuild(notes, build, { ...parts, patience: new Patience({ logger }) });
    const part = (partition: number) =>
      new FedPartition({
        topic,
        partition,
        log: { read: (...place) => bench.read(...place), watermarks: async () => [] },
        reading: fed.reading(topic, partition),
        builds: () => [fed],
        look: async () => {},
      });
    const lost = part(0);
    await expect(lost.open({ isOwned: () => false })).rejects.toMatchObject({ code: "TRIB_PROJECT_FENCE_LOST" });
    await lost.close();
    expect(fed.lanes).toBe(0);
    const [first, second] = [part(0), part(1)];
    await Promise.all([first.open(), second.open()]);
    expect(fed.lanes).toBe(2);
    await first.close();
    expect(fed.lanes).toBe(1);
    await second.close();
  });
});
