import { type TrailSource, trailOf } from "../../engine/audit/trail.js";
import type { Region } from "../region.js";

/** The locations that a visit's events tell, each with what it made of the row's where Postgres refused one of them, and where it stands although it is superseded. */
export async function changesWhereRefused(
  region: Region,
  source: TrailSource,
  visit: string,
  place: string,
): Promise<readonly string[]> {
  const { pool } = region.database;
  const [topic, partition, offset] = place.split("/");
  await pool.query(
    `INSERT INTO engine.parked_keys (projection, build, topic, partition, log_offset, key, code, reason, consumer_role)
     SELECT projection, build, $1, $2, $3, $4, 'TRIB_PROJECT_WRITE_REFUSED', 'refused', consumer_role
     FROM engine.builds WHERE projection = 'visits' AND state = 'current'`,
    [topic, Number(partition), Number(offset), visit],
  );
  try {
    const { trail } = await trailOf(source, "visit", visit);
    return trail.events.map(({ event, changes, standsIn }) => {
      const ofVisits = changes.filter(({ projection, table }) => projection === "visits" && table === "visits");
      return `${event.location}: ${ofVisits.flatMap(({ columns }) => (columns.location ?? []).map(String)).join(", ")}${standsIn.map((name) => ` (${name})`).join("")}`;
    });
  } finally {
    await pool.query("DELETE FROM engine.parked_keys WHERE key = $1", [visit]);
  }
}
