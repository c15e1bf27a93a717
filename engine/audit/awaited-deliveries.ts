import { storableText } from "../projector/checkpoint.js";
import { placesIn, readPlaces } from "./read-places.js";
import type { DeliveriesSource, KnownDelivery } from "./told-deliveries.js";

const laneOf = ({ consumer, topic, partition }: Pick<KnownDelivery, "consumer" | "topic" | "partition">): string =>
  `${consumer} ${topic}/${partition}`;

/**
 * Which deliveries their consumer has not written yet, or would send again: those beyond its checkpoint, and those where a
 * key is held back (`held`) or behind that (`behind`). Of all others the end is in the database since the checkpoint passed
 * them: undefined.
 */
export async function awaitedAmong(
  { pool, log }: DeliveriesSource,
  told: readonly KnownDelivery[],
): Promise<(row: KnownDelivery) => "beyond" | "held" | "behind" | undefined> {
  if (told.length === 0) return () => undefined;
  const consumers = [...new Set(told.map(({ consumer }) => consumer))];
  const { rows: checkpoints } = await pool.query<{ lane: string; next: number }>(
    `SELECT projection || ' ' || topic || '/' || partition AS lane, next_offset AS next
     FROM engine.checkpoints WHERE projection = ANY ($1)`,
    [consumers],
  );
  const { rows: parked } = await pool.query<{ lane: string; key: string; from: number }>(
    `SELECT projection || ' ' || topic || '/' || partition AS lane, key, log_offset AS "from"
     FROM engine.parked_keys WHERE projection = ANY ($1) AND state <> 'done'`,
    [consumers],
  );
  const next = new Map(checkpoints.map(({ lane, next: offset }) => [lane, offset]));
  const held = new Map<string, number>();
  for (const { lane, key, from } of parked)
    held.set(`${lane} ${key}`, Math.min(from, held.get(`${lane} ${key}`) ?? from));
  const lanes = new Set(parked.map(({ lane }) => lane));
  // Only where something is held it matters of which key an event is.
  const asked = told.filter((row) => lanes.has(laneOf(row)));
  const keys = new Map<string, string>();
  for (const topic of new Set(asked.map((row) => row.topic)))
    for (const { partition, offset, record } of await readPlaces(
      log,
      await placesIn(
        log,
        topic,
        asked.filter((row) => row.topic === topic),
      ),
    ))
      keys.set(`${topic}/${partition}/${offset}`, storableText(record.key));
  return (row) => {
    const from = next.get(laneOf(row));
    if (from !== undefined && row.offset >= from) return "beyond";
    const key = keys.get(`${row.topic}/${row.partition}/${row.offset}`);
    const heldAt = held.get(`${laneOf(row)} ${key}`) ?? Infinity;
    if (row.offset < heldAt) return undefined;
    return row.offset === heldAt ? "held" : "behind";
  };
}
