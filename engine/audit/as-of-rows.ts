import type { Queryable } from "../projector/build.js";
import { quoted } from "../projector/names.js";
import { type AsOf, whileThere } from "../replay/as-of.js";
import type { Pool } from "../store/pool.js";

/** Rows about one claim, visit or patient in an as-of: by view, each as JSON that Postgres wrote. */
export type AsOfRows = Readonly<Record<string, readonly string[]>>;

/**
 * What an as-of says about one subject: the rows of each view that names it.
 * @param kind `claim`, `visit` or `patient`: the column `claim_id`, `visit_id` or `patient_id`.
 * @param opens takes the columns along that identify a person.
 * @throws TRIB_REPLAY_AS_OF_DROPPED
 */
export async function asOfRows(
  pool: Pool,
  asOf: Pick<AsOf, "schema" | "views">,
  kind: string,
  id: string,
  opens: boolean,
): Promise<AsOfRows> {
  const client = await pool.connect();
  try {
    // Instants are written in the session's zone.
    await client.query("SET TimeZone = 'UTC'");
    return await whileThere(asOf, () => rowsSeen(client, asOf, kind, id, opens));
  } finally {
    // A session of its own: the next user has the zone of the server.
    client.release(true);
  }
}

async function rowsSeen(
  reader: Queryable,
  asOf: Pick<AsOf, "views" | "schema">,
  kind: string,
  id: string,
  opens: boolean,
): Promise<AsOfRows> {
  const found: Record<string, readonly string[]> = {};
  for (const { name, columns, clear } of asOf.views) {
    const told = opens ? columns : clear;
    if (!columns.includes(`${kind}_id`) || told.length === 0) continue;
    const text = `SELECT row_to_json(told)::text AS row
      FROM (SELECT ${told.map(quoted).join(", ")} FROM ${quoted(asOf.schema)}.${quoted(name)} WHERE ${quoted(`${kind}_id`)} = $1) told
      ORDER BY 1`;
    const { rows } = await reader.query(text, [id]);
    if (rows.length > 0) found[name] = (rows as { row: string }[]).map(({ row }) => row);
  }
  return found;
}
