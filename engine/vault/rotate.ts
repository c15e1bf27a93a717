import type { Pool } from "../store/pool.js";
import { type KekSettings, type KeyName, keyEncryptionKeys, unwrap, wrap } from "./data-key.js";

export interface RotateOptions {
  readonly pool: Pool;
  readonly kek: KekSettings;
  /** Keys rewrapped in one statement; default 1,000. */
  readonly batch?: number;
  readonly progress?: (rewrapped: number) => void;
}

/**
 * Wraps every living data key that another key-encryption key wrapped under the current one. Nothing that is sealed
 * changes. Each statement changes a row only if it still is as it was read, so it may run beside everything else, be
 * killed and run again, and never brings back what was destroyed meanwhile.
 * @returns keys rewrapped by this call.
 * @throws TRIB_VAULT_KEK_UNKNOWN when a key was wrapped by neither of the two; TRIB_VAULT_TAMPERED
 */
export async function rotateKeys({ pool, kek, batch = 1_000, progress }: RotateOptions): Promise<number> {
  const keys = keyEncryptionKeys(kek);
  let rewrapped = 0;
  for (let after = { subject: "00000000-0000-0000-0000-000000000000", generation: 0 }; ; ) {
    const { rows } = await pool.query<KeyName & { readonly wrapped: Buffer; readonly kek_id: string }>(
      `SELECT subject, generation, wrapped, kek_id FROM engine.vault_keys
       WHERE (subject, generation) > ($1::uuid, $2::integer) AND wrapped IS NOT NULL AND kek_id <> $3
       ORDER BY subject, generation LIMIT $4`,
      [after.subject, after.generation, keys.current.id, batch],
    );
    const last = rows.at(-1);
    if (!last) return rewrapped;
    const again = rows.map(({ subject, generation, wrapped, kek_id }) =>
      wrap(keys.current, unwrap(keys, kek_id, { subject, generation }, wrapped)),
    );
    const { rows: changed } = await pool.query<{ count: number }>(
      `WITH changed AS (
         UPDATE engine.vault_keys AS kept SET wrapped = given.again, kek_id = $5
         FROM unnest($1::uuid[], $2::integer[], $3::bytea[], $4::bytea[]) AS given (subject, generation, before, again)
         WHERE kept.subject = given.subject AND kept.generation = given.generation AND kept.wrapped = given.before
         RETURNING 1
       ) SELECT count(*)::integer AS count FROM changed`,
      [
        rows.map(({ subject }) => subject),
        rows.map(({ generation }) => generation),
        rows.map(({ wrapped }) => wrapped),
        again,
        keys.current.id,
      ],
    );
    rewrapped += changed[0]?.count ?? 0;
    progress?.(rewrapped);
    after = last;
  }
}

/** Living data keys by the id of the key-encryption key that wraps them. */
export async function keysByKek(pool: Pool): Promise<readonly { readonly kek: string; readonly keys: number }[]> {
  const { rows } = await pool.query<{ kek: string; keys: number }>(
    `SELECT kek_id AS kek, count(*)::integer AS keys FROM engine.vault_keys WHERE wrapped IS NOT NULL
     GROUP BY kek_id ORDER BY kek_id`,
  );
  return rows;
}
