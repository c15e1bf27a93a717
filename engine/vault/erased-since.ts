import type { Pool } from "../store/pool.js";
import type { KeyName } from "./data-key.js";

interface Erased {
  readonly subject: string;
  /** Highest that was destroyed; null for a patient who was erased when nothing was sealed for them. */
  readonly generation: number | null;
  /** Whether that was after the unit came, by the clocks. */
  readonly since: boolean;
}

/**
 * Of some subjects, and of those whose keys seal a unit, those who were erased after it came: what it says must not be
 * sealed under the key of a later time, or the erasure would be undone.
 *
 * Where the subject's key seals the unit, that key says it, whatever the clocks do: it is gone, or it is that of a later
 * time. Only of others the clocks are asked.
 *
 * @param unit its time of reception (epoch milliseconds), and the keys that seal its bytes.
 * @param clockSkew most milliseconds by which the clocks of who receives and of the database differ; default 0.
 */
export async function erasedSince(
  pool: Pool,
  subjects: readonly string[],
  unit: { readonly receivedAt: number; readonly sealedFor: readonly KeyName[] },
  clockSkew = 0,
): Promise<ReadonlySet<string>> {
  const sealing = new Map(unit.sealedFor.map(({ subject, generation }) => [subject, generation]));
  const asked = [...new Set([...subjects, ...sealing.keys()])];
  if (asked.length === 0) return new Set();
  const { rows } = await pool.query<Erased>(
    `SELECT subject, max(generation) AS generation, bool_or(destroyed_at >= to_timestamp($2::double precision / 1000)) AS since
     FROM engine.vault_keys WHERE subject = ANY ($1::uuid[]) AND destroyed_at IS NOT NULL GROUP BY subject
     UNION ALL
     SELECT patient, NULL, true FROM engine.erasures
     WHERE patient = ANY ($1::uuid[]) AND requested_at >= to_timestamp($2::double precision / 1000)`,
    [asked, unit.receivedAt - clockSkew],
  );
  const isErased = ({ subject, generation, since }: Erased) => {
    const own = sealing.get(subject);
    return own === undefined ? since : generation !== null && generation >= own;
  };
  return new Set(rows.filter(isErased).map(({ subject }) => subject));
}
