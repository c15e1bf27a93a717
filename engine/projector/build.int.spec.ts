import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { createBuild, currentBuild, ensureBuild, listBuilds } from "./build.js";
import { takeOver } from "./checkpoint.js";
import {
  type AnyProjection,
  hidden,
  indexed,
  integer,
  json,
  projection,
  restricted,
  table,
  text,
  uuid,
} from "./definition.js";
import { applyConsumerGrants, printGrants } from "./roles.js";
import { prepareConsumer } from "./runner.js";
import { dropBuild, swapBuild } from "./swap.js";

const definition = (
  name: string,
  change: { version?: number; comment?: string; extra?: boolean } = {},
): AnyProjection =>
  projection({
    name,
    version: change.version ?? 1,
    tables: {
      [`${name}_rows`]: table({
        comment: "Hidden rows.",
        key: ["visit_id"],
        hidden: true,
        columns: { visit_id: uuid("Visit."), size: integer("Size.") },
      }),
      [name]: table({
        comment: change.comment ?? "What's kept.",
        key: ["visit_id"],
        columns: {
          visit_id: uuid("Visit."),
          status: indexed(text("Status.")),
          size: integer("Size by itself."),
          secret: restricted(text("Secret.")),
          memory: hidden(json("Memory.")),
          ...(change.extra ? { more: text("More.") } : {}),
        },
      }),
    },
    fold: { VisitUpdated: () => undefined },
    derived: {
      [`${name}_sizes`]: {
        comment: "Sizes.",
        key: ["visit_id"],
        overlays: name,
        from: [name],
        columns: { visit_id: uuid("Visit."), size: integer("Size."), rank: integer("Rank.") },
        derive: () => [],
      },
    },
    views: {
      [`${name}_view`]: {
        comment: "A view.",
        sql: `SELECT r.visit_id, s.status, r.size, s.secret FROM $build."${name}_rows" r JOIN $build."${name}" s USING (visit_id)`,
        columns: { visit_id: "Visit.", size: "Size.", secret: { comment: "Secret.", restricted: true } },
      },
    },
  });

let database: FreshDatabase;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});

const columnsOf = async (schema: string, name: string) => {
  const { rows } = await database.pool.query<{ column: string; comment: string }>(
    `SELECT attname AS column, col_description(attrelid, attnum) AS comment FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [`${schema}.${name}`],
  );
  return Object.fromEntries(rows.map(({ column, comment }) => [column, comment]));
};

describe("builds", () => {
  it("are made once by twenty installers at once", async () => {
    const builds = await Promise.all(
      Array.from({ length: 20 }, () => prepareConsumer(database.pool, { name: "many", project: [definition("many")] })),
    );
    expect(new Set(builds.flat().map(({ schema }) => schema))).toEqual(new Set(["build_many_1"]));
    expect(await listBuilds(database.pool, "many")).toHaveLength(1);
  });

  it("show analysts what is theirs, with comments", async () => {
    await ensureBuild(database.pool, definition("seen"), "seen");
    const engine = ["recorded_at", "source_partition", "source_offset"];
    const open = await columnsOf("projections", "seen");
    expect(Object.keys(open)).toEqual(["visit_id", "status", "size", "rank", ...engine]);
    expect(open).toMatchObject({ status: "Status.", size: "Size by itself.", rank: "Rank." });
    expect(Object.keys(await columnsOf("projections_restricted", "seen"))).toEqual([
      ...["visit_id", "status", "size", "secret", "rank"],
      ...engine,
    ]);
    expect(Object.keys(await columnsOf("projections", "seen_view"))).toEqual(["visit_id", "size"]);
    expect(Object.keys(await columnsOf("projections_restricted", "seen_view"))).toEqual(["visit_id", "size", "secret"]);
    expect(await columnsOf("projections", "seen_rows")).toEqual({});
    expect(await columnsOf("projections", "seen_sizes")).toEqual({});
  });

  it("put what a derived table knows before what the row knows of itself", async () => {
    await ensureBuild(database.pool, definition("over"), "over");
    const id = "00000000-0000-4000-8000-00000000000";
    await database.pool.query(
      `INSERT INTO build_over_1.over (visit_id, size, recorded_at, source_partition, source_offset)
       VALUES ('${id}1', 1, now(), 0, 0), ('${id}2', 2, now(), 0, 0);
       INSERT INTO build_over_1.over_sizes VALUES ('${id}2', 20, 1)`,
    );
    const { rows } = await database.pool.query("SELECT size, rank FROM projections.over ORDER BY visit_id");
    expect(rows).toEqual([
      { size: 1, rank: null },
      { size: 20, rank: 1 },
    ]);
  });

  it("refuse other tables under the same version, and take changed comments over", async () => {
    await ensureBuild(database.pool, definition("changing"), "changing");
    await expect(ensureBuild(database.pool, definition("changing", { extra: true }), "changing")).rejects.toMatchObject(
      {
        code: "TRIB_PROJECT_BUILD_CHANGED",
        message: expect.stringContaining("changing"),
      },
    );
    await ensureBuild(database.pool, definition("changing", { comment: "Better said." }), "changing");
    const { rows } = await database.pool.query("SELECT obj_description('projections.changing'::regclass) AS comment");
    expect(rows[0].comment).toBe("Better said.");
  });

  it("are swapped and rolled back without a moment in which the view is missing or half", async () => {
    const one = definition("swapped");
    const two = definition("swapped", { version: 2, extra: true });
    await ensureBuild(database.pool, one, "swapped");
    const next = await ensureBuild(database.pool, two, "swapped");
    expect(next).toMatchObject({ build: 2, state: "building" });
    await database.pool.query(
      "INSERT INTO build_swapped_1.swapped SELECT gen_random_uuid(), 'old', 1, '', '{}', now(), 0, 0 FROM generate_series(1, 3)",
    );
    await database.pool.query(
      "INSERT INTO build_swapped_2.swapped SELECT gen_random_uuid(), 'new', 1, '', '{}', NULL, now(), 0, 0 FROM generate_series(1, 5)",
    );
    let swapping = true;
    const seen = new Set<string>();
    const reader = (async () => {
      while (swapping) {
        const { rows } = await database.pool.query(
          "SELECT status, count(*) AS n FROM projections.swapped GROUP BY status",
        );
        seen.add(JSON.stringify(rows));
      }
    })();
    for (let time = 0; time < 5; time++) {
      await swapBuild(database.pool, two, 2);
      expect((await currentBuild(database.pool, "swapped"))?.build).toBe(2);
      await swapBuild(database.pool, one, 1);
    }
    swapping = false;
    await reader;
    expect([...seen].every((rows) => ['[{"status":"old","n":3}]', '[{"status":"new","n":5}]'].includes(rows))).toBe(
      true,
    );
    expect(await dropBuild(database.pool, "swapped", 1)).toBe(false);
    expect(await dropBuild(database.pool, "swapped", 2)).toBe(true);
    // What was said of it is never about another.
    expect((await createBuild(database.pool, one, "swapped")).build).toBe(3);
  });

  it("give each consumer's role its own tables and checkpoints, and nothing else", async () => {
    const mine = { name: "mine-own", project: [definition("mine")] };
    const theirs = { name: "theirs", project: [definition("theirs")] };
    for (const consumer of [mine, theirs]) {
      await prepareConsumer(database.pool, consumer, { password: "secret" });
    }
    const other = await currentBuild(database.pool, "theirs");
    const own = await currentBuild(database.pool, "mine");
    if (!own || !other) throw new Error("no builds");
    await takeOver(database.pool, { build: other, topic: "t", partition: 0 }, "them");
    const pool = openPool(database.urlAs("tributary_mine_own", "secret"), { applicationName: "spec", max: 2 });
    try {
      expect((await listBuilds(pool)).map((build) => build.projection)).toEqual(["mine"]);
      expect(await takeOver(pool, { build: own, topic: "t", partition: 0 }, "me")).toMatchObject({
        epoch: 1,
        nextOffset: 0,
      });
      const { rows } = await pool.query("SELECT projection FROM engine.checkpoints");
      expect(rows).toEqual([{ projection: "mine" }]);
      await expect(takeOver(pool, { build: other, topic: "t", partition: 0 }, "me")).rejects.toMatchObject({
        code: "42501",
      });
      const denied = [
        "SELECT FROM build_theirs_1.theirs",
        "SELECT FROM engine.vault_keys",
        "CREATE TABLE build_mine_1.x ()",
      ];
      for (const statement of denied) await expect(pool.query(statement)).rejects.toMatchObject({ code: "42501" });
      const { rows: granted } = await database.pool.query(
        "SELECT event_type FROM engine.vault_grants WHERE role = 'tributary_mine_own'",
      );
      expect(granted).toEqual([{ event_type: "VisitUpdated" }]);
    } finally {
      await pool.end();
    }
    await applyConsumerGrants(database.pool, mine);
    expect(printGrants(mine, { topicPrefix: "x." })).toContain("--topic 'x.health.visit.events'");
  });
});
