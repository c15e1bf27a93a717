import type { Build } from "../projector/build.js";
import { quoted } from "../projector/names.js";
import type { Pool } from "../store/pool.js";

/**
 * All that a build is: every row of every table with the engine's own columns, checkpoints without their owners, parked keys.
 * Of one snapshot, in an order of its own, to be compared with another build's.
 */
export async function stateOfBuild(pool: Pool, build: Build): Promise<Readonly<Record<string, readonly string[]>>> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const { rows: tables } = await client.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1",
      [build.schema],
    );
    const state: Record<string, readonly string[]> = {};
    const take = async (name: string, text: string, values: readonly unknown[] = []) => {
      const { rows } = await client.query<{ row: string }>(text, [...values]);
      state[name] = rows.map(({ row }) => row).sort();
    };
    for (const { name } of tables) {
      await take(name, `SELECT to_jsonb(t)::text AS row FROM ${quoted(build.schema)}.${quoted(name)} AS t`);
    }
    const where = "WHERE projection = $1 AND build = $2";
    await take(
      "checkpoints",
      `SELECT jsonb_build_array(topic, partition, next_offset, journal, positions, recorded_at)::text AS row
       FROM engine.checkpoints ${where} AND next_offset > 0`,
      [build.projection, build.build],
    );
    await take(
      "parked keys",
      `SELECT (to_jsonb(t) - 'build' - 'parked_at')::text AS row FROM engine.parked_keys AS t ${where} AND state <> 'done'`,
      [build.projection, build.build],
    );
    await client.query("COMMIT");
    return state;
  } finally {
    client.release();
  }
}
