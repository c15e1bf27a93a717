import knex, { type Knex } from "knex";
import { loadMigrations, type Migration } from "./migrations.js";
import { storeError } from "./pool.js";

export interface MigrationStatus {
  readonly name: string;
  readonly applied: boolean;
}

/** Any number; all installers of one database wait for each other on it. */
const installersLock = 7_237_142;

/**
 * Brings the schema up to date.
 *
 * One transaction holds an advisory lock and all pending steps. So any number of installers may start at once, and one
 * that is killed leaves neither a lock nor half a step: the server rolls back what its connection held.
 *
 * @returns names of the steps applied now.
 * @throws TRIB_STORE_UNAVAILABLE when Postgres can't be reached.
 */
export async function migrateUp(databaseUrl: string): Promise<readonly string[]> {
  const steps = await loadMigrations();
  return withKnex(databaseUrl, (connection) =>
    connection.transaction(async (transaction) => {
      await transaction.raw("SELECT pg_catalog.pg_advisory_xact_lock(?)", [installersLock]);
      await transaction.raw("CREATE SCHEMA IF NOT EXISTS engine");
      const [, applied] = (await transaction.migrate.latest(configuration(steps))) as [number, string[]];
      return applied;
    }),
  );
}

/** Every known step and whether the database has it. An empty database has none. */
export async function migrateStatus(databaseUrl: string): Promise<readonly MigrationStatus[]> {
  const steps = await loadMigrations();
  const applied = await withKnex(databaseUrl, async (connection) => {
    // Asked directly: knex would create its tables for the question.
    const there = await connection.raw("SELECT to_regclass('engine.migrations') IS NOT NULL AS there");
    if (!there.rows[0].there) return new Set<string>();
    const rows: { name: string }[] = await connection.withSchema("engine").from("migrations").select("name");
    return new Set(rows.map((row) => row.name));
  });
  return steps.map(({ name }) => ({ name, applied: applied.has(name) }));
}

/** All statements that `migrateUp` would run on an empty database, for who must review or run them by hand. */
export async function migratePrint(): Promise<string> {
  const steps = await loadMigrations();
  return steps.map(({ name, sql }) => `-- ${name}\n${sql.trim()}\n`).join("\n");
}

function configuration(steps: readonly Migration[]): Knex.MigratorConfig {
  return {
    schemaName: "engine",
    tableName: "migrations",
    migrationSource: {
      getMigrations: async () => [...steps],
      getMigrationName: (step: Migration) => step.name,
      getMigration: async (step: Migration) => ({
        // A question mark would be a binding.
        up: async (connection: Knex) => {
          await connection.raw(step.sql.replaceAll("?", "\\?"));
        },
        down: async () => {
          throw new Error(`migration ${step.name} has no way back: restore a backup`);
        },
      }),
    },
  };
}

async function withKnex<Result>(databaseUrl: string, work: (connection: Knex) => Promise<Result>): Promise<Result> {
  const connection = knex({
    client: "pg",
    connection: { connectionString: databaseUrl, application_name: "tributary migrate" },
    pool: { min: 0, max: 1 },
    acquireConnectionTimeout: 60_000,
    // It would print whole migrations; the error says what is needed.
    log: { debug() {}, warn() {}, error() {}, deprecate() {} },
  });
  try {
    return await work(connection);
  } catch (error) {
    throw storeError(error);
  } finally {
    await connection.destroy();
  }
}
