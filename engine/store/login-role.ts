import type { Pool } from "./pool.js";

/** An identifier as SQL writes it. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Statements that make a role which may log in and nothing else; without a password it keeps the one it has. */
export function loginRole(role: string, password?: string): string[] {
  return [
    // Roles belong to the server: another database may be making the same one now.
    `DO $role$ BEGIN
  CREATE ROLE ${quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $role$`,
    ...(password === undefined ? [] : [`ALTER ROLE ${quoted(role)} PASSWORD ${literal(password)}`]),
  ];
}

const attempts = 8;
const grantersLock = 7_237_143;

/**
 * Runs statements about roles and rights in one transaction, one caller at a time.
 * @param pool as the owner of the database.
 */
export async function applyRights(pool: Pool, statements: readonly string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("SELECT pg_advisory_xact_lock($1)", [grantersLock]);
      for (const statement of statements) await client.query(statement);
      await client.query("COMMIT");
      client.release();
      return;
    } catch (error) {
      client.release(true);
      // The lock is the database's, a role the server's: two databases may be altering it at once ("tuple concurrently updated").
      if ((error as { code?: string }).code !== "XX000" || attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 * attempt));
    }
  }
}
