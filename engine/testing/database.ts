import { randomBytes } from "node:crypto";
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

async function onServer(server: string, statement: string): Promise<void> {
  const admin = openPool(server, { applicationName: "tributary spec", max: 1 });
  try {
    await admin.query(statement);
  } finally {
    await admin.end();
  }
}
