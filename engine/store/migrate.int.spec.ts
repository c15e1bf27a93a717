import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { repositoryRoot } from "../service/root.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { migratePrint, migrateStatus, migrateUp } from "./migrate.js";
import { openPool } from "./pool.js";
import { dumpSchema } from "./schema-dump.js";

const open: FreshDatabase[] = [];
async function emptyDatabase(): Promise<FreshDatabase> {
  const database = await freshDatabase({ empty: true });
  open.push(database);
  return database;
}
afterEach(async () => {
  for (const database of open.splice(0)) await database.drop();
});

describe("migrateUp", () => {
  it("tolerates twenty installers at once: every step is applied by exactly one of them", async () => {
    const { url } = await emptyDatabase();
    const expected = (await migrateStatus(url)).map(({ name }) => name);
    const applied = await Promise.all(Array.from({ length: 20 }, () => migrateUp(url)));
    expect(applied.flat()).toEqual(expected);
    expect((await migrateStatus(url)).every((step) => step.applied)).toBe(true);
  });

  it("leaves nothing stuck when an installer is cut off in the middle", async () => {
    const { url, pool } = await emptyDatabase();
    // A connection that holds a table knex's bookkeeping needs keeps the first installer in the middle of its work.
    await pool.query("CREATE SCHEMA engine");
    const blocker = await pool.connect();
    await blocker.query("BEGIN");
    await blocker.query("CREATE SCHEMA projections");
    const cut = migrateUp(url).then(
      () => "finished",
      () => "cut off",
    );
    const waiting = `SELECT pid FROM pg_stat_activity WHERE application_name = 'tributary migrate'
      AND datname = current_database() AND wait_event_type = 'Lock'`;
    let found = await pool.query(waiting);
    while (found.rowCount === 0) found = await pool.query(waiting);
    await pool.query("SELECT pg_terminate_backend($1)", [found.rows[0].pid]);
    expect(await cut).toBe("cut off");
    await blocker.query("ROLLBACK");
    blocker.release();
    expect((await migrateStatus(url)).some((step) => step.applied)).toBe(false);
    await migrateUp(url);
    expect((await migrateStatus(url)).every((step) => step.applied)).toBe(true);
  });

  it("makes the same schema as the printed statements run by hand", async () => {
    const [migrated, printed] = [await emptyDatabase(), await emptyDatabase()];
    await migrateUp(migrated.url);
    await printed.pool.query(await migratePrint());
    const withoutBookkeeping = (dump: string) => dump.split("\n").filter((line) => !line.includes("migrations"));
    const tables = (dump: string) => withoutBookkeeping(dump).filter((line) => line.startsWith("ALTER TABLE"));
    expect(tables(await dumpSchema(printed.pool))).toEqual(tables(await dumpSchema(migrated.pool)));
  });
});

describe("roles", () => {
  it("an analyst reads projections, and can neither write nor see the engine or restricted columns", async () => {
    const database = await emptyDatabase();
    await migrateUp(database.url);
    await database.pool.query("CREATE TABLE projections.probe AS SELECT 1 AS one");
    await database.pool.query("CREATE TABLE projections_restricted.probe AS SELECT 1 AS one");
    const client = await database.pool.connect();
    try {
      await client.query("SET SESSION AUTHORIZATION tributary_analyst");
      expect((await client.query("SELECT one FROM projections.probe")).rows).toEqual([{ one: 1 }]);
      await expect(client.query("SELECT one FROM projections_restricted.probe")).rejects.toThrow("permission denied");
      await expect(client.query("SELECT wrapped FROM engine.vault_keys")).rejects.toThrow("permission denied");
      await expect(client.query("INSERT INTO projections.probe VALUES (2)")).rejects.toThrow("permission denied");
    } finally {
      client.release(true);
    }
  });

  it("a login made as the page for analysts says reads what an analyst may, and no more", async () => {
    const database = await emptyDatabase();
    await migrateUp(database.url);
    await database.pool.query("CREATE TABLE projections.probe AS SELECT 1 AS one");
    await database.pool.query("CREATE TABLE projections_restricted.probe AS SELECT 1 AS one");
    const page = readFileSync(join(repositoryRoot, "docs/analysts.md"), "utf8");
    const login = `ada_${randomUUID().slice(0, 8)}`;
    const made = (/```sql\n([\s\S]*?)```/.exec(page)?.[1] ?? "").replaceAll("ada", login);
    await database.pool.query(made);
    const analyst = openPool(database.urlAs(login, "choose one"), { applicationName: "spec", max: 1 });
    try {
      expect((await analyst.query("SELECT one FROM probe")).rows).toEqual([{ one: 1 }]);
      await expect(analyst.query("SELECT one FROM projections_restricted.probe")).rejects.toThrow("permission denied");
      await expect(analyst.query("SELECT wrapped FROM engine.vault_keys")).rejects.toThrow("permission denied");
      expect((await analyst.query("SHOW transaction_read_only")).rows).toEqual([{ transaction_read_only: "on" }]);
      expect((await analyst.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "1min" }]);
    } finally {
      await analyst.end();
      await database.pool.query(`DROP ROLE ${login}`);
    }
  });

  it("read-only and time-outs are set on the role itself", async () => {
    const database = await emptyDatabase();
    await migrateUp(database.url);
    const { rows } = await database.pool.query("SELECT rolconfig FROM pg_roles WHERE rolname = 'tributary_analyst'");
    const names = rows[0].rolconfig.map((setting: string) => setting.split("=")[0]);
    expect(rows[0].rolconfig).toContain("default_transaction_read_only=on");
    expect(names).toEqual(
      expect.arrayContaining(["statement_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout"]),
    );
  });
});

describe("openPool", () => {
  it("calls a server that can't be reached unavailable, and a lost connection too", async () => {
    const nobody = openPool("postgres://nobody@127.0.0.1:1/none", { applicationName: "spec" });
    await expect(nobody.query("SELECT 1")).rejects.toMatchObject({ code: "TRIB_STORE_UNAVAILABLE" });
    const { pool } = await emptyDatabase();
    await expect(pool.query("SELECT pg_terminate_backend(pg_backend_pid())")).rejects.toMatchObject({
      code: "TRIB_STORE_UNAVAILABLE",
    });
    await expect(pool.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
  });

  it("reads numbers exactly or not at all, dates as text, instants as milliseconds", async () => {
    const { pool } = await emptyDatabase();
    const { rows } = await pool.query(`SELECT 9007199254740991::int8 AS big, 0.10::numeric(14,2) AS money,
      date '2026-01-02' AS day, timestamptz '2026-01-02 00:00:00.5+05:30' AS instant, ARRAY[1, 2]::int8[] AS bigs`);
    const instant = Date.UTC(2026, 0, 1, 18, 30, 0, 500);
    expect(rows[0]).toEqual({ big: 2 ** 53 - 1, money: "0.10", day: "2026-01-02", instant, bigs: [1, 2] });
    await expect(pool.query("SELECT 9007199254740992::int8")).rejects.toThrow("2^53");
  });
});
