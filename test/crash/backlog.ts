import { journalTopic } from "../../engine/log/schemas.js";
import { loadConsumer } from "../../engine/service/discover.js";
import type { TestInstallation } from "../installation.js";

/** Journal entries that the publisher has not acknowledged by its checkpoints. */
export async function journalLag({ log, pool }: Pick<TestInstallation, "log" | "pool">): Promise<number> {
  const { rows } = await pool.query<{ partition: number; next: number }>(
    "SELECT partition, max(next_offset) AS next FROM engine.publisher_checkpoints GROUP BY partition",
  );
  const next = new Map(rows.map((row) => [row.partition, Number(row.next)]));
  let lag = 0;
  // Offset 0 only names the journal.
  for (const { partition, high } of await log.watermarks(journalTopic)) lag += high - (next.get(partition) ?? 1);
  return lag;
}

/** Records in the log that are not in the read models of a consumer, or not in the notary's chain. */
export async function consumerLag(
  { log, pool }: Pick<TestInstallation, "log" | "pool">,
  name: string,
): Promise<number> {
  const projections = (await loadConsumer(name)).project.map((projection) => projection.name);
  const { rows } = await pool.query<{ topic: string; partition: number; next: number }>(
    projections.length > 0
      ? {
          text: `SELECT topic, partition, min(next_offset) AS next FROM engine.checkpoints
                 WHERE projection = ANY ($1) GROUP BY 1, 2`,
          values: [projections],
        }
      : "SELECT topic, partition, next_offset AS next FROM engine.notary_lanes",
  );
  const topics = [...new Set(rows.map(({ topic }) => topic))];
  const marks = new Map(await Promise.all(topics.map(async (topic) => [topic, await log.watermarks(topic)] as const)));
  let lag = 0;
  for (const { topic, partition, next } of rows) {
    const high = marks.get(topic)?.find((mark) => mark.partition === partition)?.high ?? 0;
    lag += Math.max(0, high - Number(next));
  }
  return lag;
}
