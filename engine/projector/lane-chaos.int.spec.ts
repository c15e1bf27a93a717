import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, mixed, notes, published, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import type { ConsumerLane } from "./consumer-lane.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});

async function freshBench(): Promise<ProjectionBench> {
  await dropBuilds(database.pool, "notes");
  return ProjectionBench.create(notes, database.pool);
}

/** What happens to one fenced statement. */
type Fault = "none" | "lost before" | "lost after" | "deadlock" | "reads lost";

/** A pool whose connection breaks as told: in doubt the caller never learns which it was. */
function faulty(pool: Pool, next: () => Fault): { pool: Pool; struck: () => number } {
  let struck = 0;
  const lost = () => {
    struck++;
    return new TributaryError("TRIB_STORE_UNAVAILABLE");
  };
  const query = async (...parameters: unknown[]): Promise<unknown> => {
    const name = (parameters[0] as { name?: string }).name ?? "";
    const call = () => (pool.query as (...given: unknown[]) => Promise<unknown>)(...parameters);
    const fault = /^(write|load)_/.test(name) ? next() : "none";
    if (name.startsWith("load_")) {
      if (fault === "reads lost") throw lost();
      return call();
    }
    if (fault === "lost before") throw lost();
    if (fault === "deadlock") {
      struck++;
      throw Object.assign(new Error("deadlock detected"), { code: "40P01" });
    }
    const result = await call();
    if (fault === "lost after") throw lost();
    return result;
  };
  return { pool: { query } as unknown as Pool, struck: () => struck };
}

const faults = fc.array(fc.constantFrom<Fault>("none", "none", "lost before", "lost after", "deadlock", "reads lost"), {
  minLength: 20,
  maxLength: 60,
});

describe("a lane whose connection and process die", () => {
  it("leaves the rows of the pure fold, whatever broke when", async () => {
    let struckInAll = 0;
    await fc.assert(
      fc.asyncProperty(
        faults,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 2, max: 9 }),
        async (plan, size, killEvery) => {
          const bench = await freshBench();
          bench.append(
            published(mixed(60)).map((event) => ({ ...event, source: { topic, partition: 0, offset: 0 } })),
            { numberOfTimes: 1 },
          );
          let calls = 0;
          const broken = faulty(database.pool, () => plan[calls++] ?? "none");
          const records = bench.recordsOf(topic, 0);
          const zombies: ConsumerLane[] = [];
          let lane = bench.lane(topic, 0, { pool: broken.pool, cacheRows: 4 });
          let from = await lane.open();
          for (let batches = 1; from < records.length; batches++) {
            const end = batches % 2 === 0 ? from + size : records.length;
            await lane.batch(records.slice(from, from + size), bench.context(end));
            from += size;
            if (batches % killEvery !== 0) continue;
            // A process dies with a statement under way; the next one starts where the checkpoint is.
            zombies.push(lane);
            lane = bench.lane(topic, 0, { pool: broken.pool, cacheRows: 4 });
            from = await lane.open();
            for (const zombie of zombies) await zombie.batch(records.slice(from, from + 3), bench.context(0));
          }
          await lane.batch([], bench.context(0));
          await lane.close();
          for (const zombie of zombies) await zombie.close();
          // The last batch may have been in doubt when the lane closed; who comes next finishes.
          await bench.run({ batch: 7 });
          struckInAll += broken.struck();
          const lost = bench.messages.filter((message) => message.startsWith("another process has taken over"));
          expect(lost.length).toBeLessThanOrEqual(zombies.length);
          await expectPure(bench, bench.inputs);
        },
      ),
      { numRuns: 25, seed: 7 },
    );
    expect(struckInAll).toBeGreaterThan(100);
  });

  it("waits for a statement in doubt before it looks at the checkpoint", async () => {
    const bench = await freshBench();
    bench.append(published(mixed(10, 1)));
    await bench.run();
    bench.append(published(mixed(10, 1)));
    const records = bench.recordsOf(topic, 0);
    // The statement goes on in the server while the client has given it up.
    const blocker = await database.pool.connect();
    let given: Promise<unknown> | undefined;
    const query = async (...parameters: unknown[]): Promise<unknown> => {
      const call = (pool: Pool) => (pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters);
      const name = (parameters[0] as { name?: string }).name ?? "";
      if (!name.startsWith("write_") || given) return call(database.pool);
      await blocker.query("BEGIN");
      await blocker.query("SELECT FROM build_notes_1.note_lines FOR UPDATE");
      given = call(database.pool);
      // It holds the checkpoint's row once it waits for a row of the table.
      for (;;) {
        const { rows } = await database.pool.query(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH fence%'",
        );
        if (rows.length > 0) break;
      }
      throw new TributaryError("TRIB_STORE_UNAVAILABLE");
    };
    const lane = bench.lane(topic, 0, { pool: { query } as unknown as Pool });
    const from = await lane.open();
    const done = lane.batch(records.slice(from), bench.context(records.length));
    for (;;) {
      const { rows } = await database.pool.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE engine.checkpoints SET epoch%'",
      );
      if (rows.length > 0) break;
    }
    await blocker.query("COMMIT");
    blocker.release();
    await done;
    await given;
    await lane.close();
    await expectPure(bench, bench.inputs);
  }, 20_000);
});
