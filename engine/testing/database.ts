import { randomBytes } from "node:crypto";
import { dropBuild } from "../projector/swap.js";
import { migrateUp } from "../store/migrate.js";
import { openPool, type Pool } from "../store/pool.js";

export interface FreshDatabase {
  readonly url: string;
  readonly pool: Pool;
  /** The same database as another role, for what that role may not do. */
  urlAs(role: string, password: string): string;
  /** Closes the pool and drops the database. */
  drop(): Promise<void>;
}

/**
 * A database of its own on the server of DATABASE_URL, with all migrations applied.
 * @param options `empty`: without migrations.
 */
export async function freshDatabase(options: { empty?: boolean } = {}): Promise<FreshDatabase> {
  const server = process.env.DATABASE_URL;
  if (!server) throw new Error("DATABASE_URL is not set: integration specs need a Postgres server");
  const name = `spec_${randomBytes(6).toString("hex")}`;
  await onServer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  if (!options.empty) await migrateUp(url.href);
  const pool = openPool(url.href, { applicationName: "tributary spec", max: 10 });
  return {
    url: url.href,
    pool,
    urlAs(role, password) {
      const other = new URL(url);
      other.username = role;
      other.password = password;
      return other.href;
    },
    async drop() {
      await pool.end();
      await onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Makes it so that a projection never had a build: drops all, the current one too, and all views. @param pool as the owner of the database. */
export async function dropBuilds(pool: Pool, projection: string): Promise<void> {
  await pool.query(
    `UPDATE engine.builds SET state = 'previous', views = '{}';
     DROP SCHEMA projections CASCADE; DROP SCHEMA projections_restricted CASCADE;
     CREATE SCHEMA projections; CREATE SCHEMA projections_restricted`,
  );
  const { rows } = await pool.query<{ build: number }>("SELECT build FROM engine.builds WHERE projection = $1", [
    projection,
  ]);
  for (const { build } of rows) await dropBuild(pool, projection, build);
  await pool.query("DELETE FROM engine.build_numbers WHERE projection = $1", [projection]);
}

async function onServer(server: string, statement: string): Promise<void> {
  const admin = openPool(server, { applicationName: "tributary spec", max: 1 });
  try {
    await admin.query(statement);
  } finally {
    await admin.end();
  }
}
