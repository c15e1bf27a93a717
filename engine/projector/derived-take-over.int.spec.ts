import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import type { StatementFault } from "../testing/postgres-proxy.js";
import { proxiedPool } from "../testing/store-chaos.js";
import { passed } from "../testing/tcp-proxy.js";
import { ensureBuild } from "./build.js";
import { type AnyProjection, integer, projection, table, uuid } from "./definition.js";
import { DerivedTables } from "./derived.js";
import { layOut } from "./layout.js";

const sizes: AnyProjection = projection({
  name: "sizes",
  version: 1,
  tables: {
    things: table({
      comment: "Things.",
      key: ["visit_id"],
      columns: { visit_id: uuid("Visit."), size: integer("Size.") },
    }),
  },
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
