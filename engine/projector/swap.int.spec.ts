import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type Build, createBuild, currentBuild, ensureBuild, listBuilds } from "./build.js";
import { takeOver } from "./checkpoint.js";
import { type AnyProjection, projection, table, text, uuid } from "./definition.js";
import { dropBuild, swapBuild } from "./swap.js";

const columns = { visit_id: uuid("Visit."), note: text("Note.") };
const definition: AnyProjection = projection({
  name: "swapping",
  version: 1,
  tables: {
    first_view: table({ comment: "One.", key: ["visit_id"], columns }),
    second_view: table({ comment: "Two.", key: ["visit_id"], columns }),
  },
  fold: { VisitUpdated: () => undefined },
  derived: {
    derived_view: { comment: "Derived.", key: ["visit_id"], columns, from: ["first_view"], derive: () => [] },
  },
});

let database: FreshDatabase;
let one: Build;
let two: Build;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});
beforeEach(async () => {
  await dropBuilds(database.pool, "swapping");
  one = await ensureBuild(database.pool, definition, "swapping");
  two = await createBuild(database.pool, definition, "swapping");
});

const topic = "health.visit.events";
async function stands(build: Build, next: number, where = topic): Promise<void> {
  await takeOver(database.pool, { build, topic: where, partition: 0 }, "spec");
  await database.pool.query("UPDATE engine.checkpoints SET next_offset = $2 WHERE build = $1 AND topic = $3", [
    build.build,
    next,
    where,
  ]);
}
const derivedStands = (build: Build, next: number, further: object = {}) =>
  database.pool.query(
    `INSERT INTO engine.derived_tables (projection, build, name, owner, vector, consumer_role)
     VALUES ('swapping', $1, 'derived_view', 'spec', $2, 'tributary_swapping')
     ON CONFLICT (projection, build, name) DO UPDATE SET vector = EXCLUDED.vector`,
    [build.build, JSON.stringify({ [topic]: { 0: next }, ...further })],
  );
const current = async () => (await currentBuild(database.pool, "swapping"))?.build;
const late = { code: "TRIB_PROJECT_SWAP_TIMEOUT" };

describe("a swap", () => {
  it("waits for a build that has less than readers have seen", async () => {
    await stands(one, 10);
    await expect(swapBuild(database.pool, definition, 2, { timeout: 50 })).rejects.toMatchObject(late);
    await stands(two, 9);
    await expect(swapBuild(database.pool, definition, 2, { timeout: 50 })).rejects.toMatchObject(late);
    const swapping = swapBuild(database.pool, definition, 2);
    await stands(two, 10);
    await swapping;
    expect(await current()).toBe(2);
  });

  it("waits for what is derived, too", async () => {
    await Promise.all([stands(one, 10), stands(two, 10)]);
    await derivedStands(one, 8);
    await derivedStands(two, 7);
    await expect(swapBuild(database.pool, definition, 2, { timeout: 50 })).rejects.toMatchObject(late);
    await derivedStands(two, 8);
    await swapBuild(database.pool, definition, 2);
    expect(await current()).toBe(2);
  });

  it("does not wait for a topic that its build reads no more", async () => {
    await stands(one, 10, "health.claim.events");
    await derivedStands(one, 8, { "health.claim.events": { 0: 10 } });
    await Promise.all([stands(one, 10), stands(two, 10), derivedStands(two, 8)]);
    await swapBuild(database.pool, definition, 2, { timeout: 50 });
    expect(await current()).toBe(2);
  });

  it("gives way to readers that hold one view and want the other", async () => {
    const reader = await database.pool.connect();
    try {
      await reader.query("BEGIN");
      await reader.query("SELECT FROM projections.second_view");
      const swapping = swapBuild(database.pool, definition, 2);
      // Longer than Postgres waits before it ends one of two that wait for each other.
      for (const until = Date.now() + 1_500; Date.now() < until; ) {
        await reader.query("SELECT FROM projections.first_view");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(await current()).toBe(1);
      await reader.query("COMMIT");
      await swapping;
      expect(await current()).toBe(2);
    } finally {
      reader.release();
    }
  });

  it("keeps what analysts built on the views, and their prepared statements", async () => {
    await database.pool.query("CREATE VIEW public.own AS SELECT count(*) AS n FROM projections.first_view");
    const reader = await database.pool.connect();
    try {
      const count = { name: "count", text: "SELECT count(*)::int AS n FROM projections.first_view" };
      const insert = `INSERT INTO "${two.schema}".first_view VALUES (gen_random_uuid(), '', now(), 0, 0)`;
      expect((await reader.query(count)).rows).toEqual([{ n: 0 }]);
      await database.pool.query(insert);
      await swapBuild(database.pool, definition, 2);
      expect((await reader.query(count)).rows).toEqual([{ n: 1 }]);
      expect((await reader.query("SELECT n::int FROM public.own")).rows).toEqual([{ n: 1 }]);
    } finally {
      reader.release();
      await database.pool.query("DROP VIEW public.own");
    }
  });

  it("is refused for a build that is not whole, or about to be dropped", async () => {
    await createBuild(database.pool, definition, "swapping", "rebuild");
    const refused = { code: "TRIB_PROJECT_BUILD_MISSING" };
    await expect(swapBuild(database.pool, definition, 3)).rejects.toMatchObject(refused);
    await expect(swapBuild(database.pool, definition, 4)).rejects.toMatchObject(refused);
    await database.pool.query("UPDATE engine.builds SET feed = 'nobody' WHERE build = 2");
    await expect(swapBuild(database.pool, definition, 2)).rejects.toMatchObject(refused);
  });
});

describe("a drop", () => {
  it("goes round a statement that has the checkpoint and waits for the tables", async () => {
    await stands(two, 1);
    const lane = await database.pool.connect();
    try {
      await lane.query("BEGIN");
      await lane.query(`SELECT FROM "${two.schema}".first_view`);
      const dropping = dropBuild(database.pool, "swapping", 2);
      await new Promise((resolve) => setTimeout(resolve, 400));
      await lane.query(`SELECT FROM "${two.schema}".second_view`);
      await lane.query("COMMIT");
      expect(await dropping).toBe(true);
      expect((await listBuilds(database.pool, "swapping")).map(({ build }) => build)).toEqual([1]);
    } finally {
      lane.release();
    }
  });
});
