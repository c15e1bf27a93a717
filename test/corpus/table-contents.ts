import type { TestInstallation } from "../installation.js";

const events = ["health.patient.events", "health.visit.events", "health.claim.events"];

/** Columns of views that say how long something has waited until now: they change while nothing happens. */
const clocks = "ARRAY['waiting_hours', 'overdue']";

/** A hash of all columns of all rows of every read model, by table, sorted by content; without those of the clock. */
export async function tableContents({ query }: TestInstallation): Promise<Record<string, string>> {
  const tables = await query(
    "SELECT table_name FROM information_schema.views WHERE table_schema = 'projections_restricted' ORDER BY 1",
  );
  const contents: Record<string, string> = {};
  for (const { table_name } of tables) {
    const [row] = await query(
      `SELECT count(*) || ' rows ' || coalesce(md5(string_agg(content, E'\\n' ORDER BY content COLLATE "C")), '') AS content
       FROM (SELECT (to_jsonb(t) - ${clocks})::text AS content FROM projections_restricted."${table_name}" t) c`,
    );
    contents[String(table_name)] = String(row?.content);
  }
  return contents;
}

/** How many events each topic holds. */
export async function eventCounts({ log }: TestInstallation): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const topic of events) {
    counts[topic] = (await log.watermarks(topic)).reduce((sum, { high }) => sum + high, 0);
  }
  return counts;
}
