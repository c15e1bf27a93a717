import type { Pool } from "../store/pool.js";
import type { KeyName } from "./data-key.js";

/**
 * Of some subjects those who were erased after a unit came: what it says of them must not be sealed under the key of a
 * later time, or the erasure would be undone.
 * @param unit its time of reception (epoch milliseconds), and the keys that seal its bytes: a subject whose later key is among
 *   them was erased before it came.
 */
export async function erasedSince(
  pool: Pool,
  subjects: readonly string[],
  unit: { readonly receivedAt: number; readonly sealedFor: readonly KeyName[] },
): Promise<ReadonlySet<string>> {
  if (subjects.length === 0) return new Set();
  const { rows } = await pool.query<KeyName>(
    `SELECT subject, max(generation) AS generation FROM engine.vault_keys
     WHERE subject = ANY ($1::uuid[]) AND destroyed_at >= to_timestamp($2::double precision / 1000) GROUP BY subject`,
    [subjects, unit.receivedAt],
  );
  const later = ({ subject, generation }: KeyName) =>
    unit.sealedFor.some((key) => key.subject === subject && key.generation > generation);
  return new Set(rows.filter((row) => !later(row)).map(({ subject }) => subject));
}
