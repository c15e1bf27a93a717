import { afterAll, beforeAll, expect, it } from "vitest";
import { closedOpener } from "../service/sealed-opener.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import type { StatementFault } from "../testing/postgres-proxy.js";
import { proxiedPool } from "../testing/store-chaos.js";
import { passed } from "../testing/tcp-proxy.js";
import { createBuild, ensureBuild } from "./build.js";
import {
  type AnyProjection,
  type DerivedTable,
  integer,
  projection,
  type Row,
  table,
  text,
  uuid,
} from "./definition.js";
import { DerivedTables } from "./derived.js";
import { DerivedKeeper } from "./derived-keeper.js";
import { layOut } from "./layout.js";
import type { Decoder } from "./ports.js";
import { PureFold } from "./pure.js";
import { buildStatuses } from "./status.js";
import { dropBuild } from "./swap.js";
import { verifyProjection } from "./verify.js";

const things = {
  things: table({
    comment: "Things.",
    key: ["visit_id"],
    columns: { visit_id: uuid("Visit."), size: integer("Size.") },
  }),
};
const namesColumns = { authority: text("Who gave it."), value: text("What it is."), size: integer("Size.") };

/** Rows that no index takes, beside one that it does, and a table that can't be derived at all. */
const named = (rows: readonly Row[]): AnyProjection =>
  projection({
    name: "named",
    version: 1,
    tables: { things: { ...things.things, hidden: true } },
    fold: { VisitUpdated: () => undefined },
    derived: {
      broken: {
        comment: "Broken.",
        key: ["value"],
        from: ["things"],
        columns: { value: text("Value.") },
        derive: () => {
          throw new Error("as definitions may");
        },
      },
      names: {
        comment: "Names.",
        key: ["authority", "value"],
        from: ["things"],
        columns: namesColumns,
        derive: () => rows,
      },
    },
  }) as AnyProjection;

const sizes: AnyProjection = projection({
  name: "sizes",
  version: 1,
  tables: things,
  fold: { VisitUpdated: () => undefined },
  derived: {
    ranks: {
      comment: "Ranks.",
      key: ["visit_id"],
      from: ["things"],
      columns: { visit_id: uuid("Visit."), rank: integer("Rank.") },
      derive: () => [],
    },
  },
}) as AnyProjection;

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

it("a keeper of derived tables keeps them when the take-over of one that is gone arrives late", async () => {
  const build = await ensureBuild(database.pool, sizes, "sizes");
  const layout = layOut(sizes);
  let release: (fault: StatementFault) => void = () => {};
  const held = new Promise<StatementFault>((resolve) => {
    release = resolve;
  });
  const slow = await proxiedPool(database.url, {
    pool: { silence: 200, max: 1 },
    statement: ({ text }) =>
      /^\s*UPDATE engine.derived_tables SET epoch|^\s*INSERT INTO engine.derived_tables AS/.test(text) ? held : passed,
  });
  try {
    const former = new DerivedTables(slow.pool, build, layout, "former").takeOver();
    await expect(former).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    const keeper = new DerivedTables(database.pool, build, layout, "keeper");
    await keeper.takeOver();
    release(passed);
    const backends = async () => {
      const found = "SELECT FROM pg_stat_activity WHERE application_name = $1";
      return (await database.pool.query(found, [slow.application])).rowCount;
    };
    await expect.poll(backends, { timeout: 10_000, interval: 5 }).toBe(0);
    await keeper.refresh();
    const late = new DerivedTables(database.pool, build, layout, "successor");
    await late.takeOver();
    await expect(keeper.refresh()).rejects.toMatchObject({ code: "TRIB_PROJECT_FENCE_LOST" });
    await late.refresh();
  } finally {
    await slow.close();
  }
});

it("a keeper of derived tables ends quietly when their build is dropped", async () => {
  const { pool } = database;
  const build = await createBuild(pool, sizes, "sizes");
  await pool.query(
    `INSERT INTO engine.checkpoints (projection, build, topic, partition, next_offset, owner, consumer_role)
     VALUES ('sizes', $1, 'health.visit.events', 0, 7, 'spec', 'tributary_sizes')`,
    [build.build],
  );
  const told: string[] = [];
  const tell = (_: object, message: string) => void told.push(message);
  const logger = { info: tell, warn: tell, error: tell };
  const keeper = (owner: string) =>
    new DerivedKeeper({ pool, build, layout: layOut(sizes), owner, logger, interval: 2 });
  const atWork = keeper("at work");
  atWork.start();
  const refreshed =
    "SELECT FROM engine.derived_tables WHERE projection = 'sizes' AND build = $1 AND vector::text <> '{}'";
  await expect.poll(async () => (await pool.query(refreshed, [build.build])).rowCount, { interval: 5 }).toBe(1);
  expect(await dropBuild(pool, "sizes", build.build)).toBe(true);
  const late = keeper("late");
  late.start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await Promise.all([atWork.stop(), late.stop()]);
  expect(told).toEqual([]);
});

it("a row whose key identifies a person is told as one, and its key to nobody", async () => {
  const { pool } = database;
  const { ranks } = sizes.derived as NonNullable<AnyProjection["derived"]> & { readonly ranks: DerivedTable };
  const hidden = { things: { ...things.things, hidden: true } };
  const derived = { guarded_ranks: { ...ranks, restricted: true } };
  const guarded = { ...sizes, name: "guarded", tables: hidden, derived } as AnyProjection;
  const build = await ensureBuild(pool, guarded, "guarded");
  const keeper = new DerivedTables(pool, build, layOut(guarded), "keeper");
  await keeper.takeOver();
  await keeper.refresh();
  await pool.query(`INSERT INTO "${build.schema}".guarded_ranks VALUES ('00000000-0000-4000-8000-000000000001', 1)`);
  const nothing = { read: async function* () {}, decoder: {} as Decoder, opener: closedOpener };
  const { differences } = await verifyProjection({ projection: guarded, build, pool, log: nothing, ...nothing });
  expect(differences).toMatchObject([{ table: "guarded_ranks", key: "restricted", what: "not in the log" }]);
});

it("a value that no index takes is left out of a derived table and told, and the rest goes on", async () => {
  const { pool } = database;
  // Random enough that no compression makes them fit.
  const long = Array.from({ length: 1_500 }, (_, index) => String.fromCharCode(0x100 + ((index * 7919) % 5_000))).join(
    "",
  );
  const rows = [
    { authority: "A", value: "1", size: 1 },
    { authority: "A", value: long, size: 2 },
    { authority: long.slice(0, 600), value: long.slice(700, 1_300), size: 3 },
    { authority: "A", value: "2", size: 2 ** 40 },
  ];
  const projection = named(rows);
  const build = await ensureBuild(pool, projection, "named");
  const keeper = new DerivedTables(pool, build, layOut(projection), "keeper");
  await keeper.takeOver();
  await expect(keeper.refresh()).rejects.toThrow("as definitions may");
  const { rows: kept } = await pool.query("SELECT authority, value, size FROM projections.names");
  expect(kept).toEqual([rows[0]]);
  expect(new PureFold(projection).derived("names")).toEqual([rows[0]]);
  const [status] = await buildStatuses(pool, { watermarks: async () => [] }, Date.now(), [projection]).then((all) =>
    all.filter(({ name }) => name === "named"),
  );
  expect(status).toMatchObject({ parkedKeys: 0, leftOutRows: 3 });
  const { rows: told } = await pool.query(
    "SELECT name, left_out, left_out_why FROM engine.derived_tables WHERE projection = 'named' ORDER BY name",
  );
  expect(told).toEqual([
    { name: "broken", left_out: 0, left_out_why: null },
    { name: "names", left_out: 3, left_out_why: expect.stringMatching(/^value is longer than 2000 bytes/) },
  ]);
});
