import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import {
  type DataKey,
  type KekSettings,
  type KeyEncryptionKeys,
  type KeyName,
  keyEncryptionKeys,
  keyText,
  newDataKey,
  unwrap,
  wrap,
} from "./data-key.js";
import { Forgetting, type ForgettingOptions } from "./forgetting.js";
import { KeyCache } from "./key-cache.js";

export interface VaultOptions extends ForgettingOptions {
  readonly pool: Pool;
  /** Key-encryption key, 64 hexadecimal digits (`TRIBUTARY_KEK`), or both while keys are rewrapped. */
  readonly kek: string | KekSettings;
  /** Most keys held in memory; default 100,000. */
  readonly cacheLimit?: number;
}

/** The keys of all subjects, for the processes that seal (intake) and for the operator who may open everything. */
export interface Vault {
  /**
   * The living key of each subject, made where there is none (also after a destruction: then the next generation).
   * One round trip for all that aren't in memory. Any number of processes may ask for the same subjects at once: all
   * get the same key. When Postgres is down, subjects in memory are still answered.
   * @param subjects surrogate ids, UUIDs in lower case.
   * @throws TRIB_STORE_UNAVAILABLE when a key is needed from Postgres and it can't be reached.
   */
  keysFor(subjects: Iterable<string>): Promise<Map<string, DataKey>>;
  /**
   * The keys named, by `keyText`; a destroyed one is absent.
   * @throws TRIB_VAULT_KEY_MISSING when the vault never had one of them.
   */
  openKeys(names: Iterable<KeyName>): Promise<Map<string, DataKey>>;
  /** Destroys the living keys of subjects for good; other processes follow within the interval. */
  destroy(subjects: readonly string[]): Promise<readonly KeyName[]>;
  close(): void;
}

interface KeyRow extends KeyName {
  readonly wrapped: Buffer | null;
  readonly kek_id: string;
}

/** Opens the vault. Nothing is read before the first question. */
export function openVault({ pool, kek: kekHex, cacheLimit = 100_000, ...forgettingOptions }: VaultOptions): Vault {
  const kek = keyEncryptionKeys(kekHex);
  const living = new KeyCache<DataKey>(cacheLimit);
  const forget = (destroyed: readonly KeyName[] | "all") => {
    if (destroyed === "all") living.clear();
    else for (const { subject } of destroyed) living.delete(subject);
  };
  const forgetting = new Forgetting(pool, forget, forgettingOptions);

  return {
    async keysFor(subjects) {
      const keys = new Map<string, DataKey>();
      const missing = new Set<string>();
      for (const subject of subjects) {
        const key = living.get(subject);
        if (key) keys.set(subject, key);
        else missing.add(subject);
      }
      if (missing.size > 0) {
        await forgetting.during(
          () => getOrCreate(pool, kek, [...missing]),
          (loaded, gone) => {
            for (const key of loaded) {
              keys.set(key.subject, key);
              if (!gone.has(keyText(key))) living.set(key.subject, key);
            }
          },
        );
      }
      return keys;
    },

    async openKeys(names) {
      const wanted = new Map<string, KeyName>();
      const keys = new Map<string, DataKey>();
      for (const name of names) {
        const key = living.get(name.subject);
        if (key?.generation === name.generation) keys.set(keyText(name), key);
        else wanted.set(keyText(name), name);
      }
      if (wanted.size === 0) return keys;
      const list = [...wanted.values()];
      const { rows } = await pool.query<KeyRow>(
        `SELECT kept.subject, kept.generation, kept.wrapped, kept.kek_id
        FROM unnest($1::uuid[], $2::integer[]) AS wanted (subject, generation)
        JOIN engine.vault_keys AS kept ON kept.subject = wanted.subject AND kept.generation = wanted.generation`,
        [list.map(({ subject }) => subject), list.map(({ generation }) => generation)],
      );
      for (const row of rows) {
        wanted.delete(keyText(row));
        if (row.wrapped) keys.set(keyText(row), unwrap(kek, row.kek_id, nameOf(row), row.wrapped));
      }
      for (const { subject, generation } of wanted.values()) {
        throw new TributaryError("TRIB_VAULT_KEY_MISSING", undefined, { subject, generation });
      }
      return keys;
    },

    async destroy(subjects) {
      const { rows } = await pool.query<KeyName>("SELECT subject, generation FROM engine.vault_destroy($1::uuid[])", [
        [...subjects],
      ]);
      forget(rows);
      return rows;
    },

    close: () => forgetting.close(),
  };
}

const nameOf = ({ subject, generation }: KeyName): KeyName => ({ subject, generation });

/**
 * A key is offered for every subject; whoever inserts first has it. The rows already there are read in the same
 * statement. A row that another process inserts at the same moment is in neither part: the next round finds it. So is
 * the next generation of a subject whose last key was destroyed.
 */
const offer = `
WITH offered AS (
  SELECT subject, generation, wrapped
  FROM unnest($1::uuid[], $2::integer[], $3::bytea[]) AS given (subject, generation, wrapped)
), made AS (
  INSERT INTO engine.vault_keys (subject, generation, wrapped, kek_id)
  SELECT subject, generation, wrapped, $4 FROM offered
  WHERE NOT EXISTS (
    SELECT FROM engine.vault_keys AS kept
    WHERE kept.subject = offered.subject AND (kept.generation >= offered.generation OR kept.wrapped IS NOT NULL)
  )
  -- One order for all processes, or they would wait for each other in a circle.
  ORDER BY subject
  ON CONFLICT DO NOTHING
  RETURNING subject, generation, wrapped, kek_id
)
SELECT subject, generation, wrapped, kek_id FROM made
UNION ALL
SELECT last.subject, last.generation, last.wrapped, last.kek_id
FROM offered CROSS JOIN LATERAL (
  SELECT subject, generation, wrapped, kek_id FROM engine.vault_keys AS kept
  WHERE kept.subject = offered.subject ORDER BY kept.generation DESC LIMIT 1
) AS last
ORDER BY generation`;

async function getOrCreate(pool: Pool, kek: KeyEncryptionKeys, subjects: readonly string[]): Promise<DataKey[]> {
  const found: DataKey[] = [];
  /** Subjects still without a key, with the generation to offer. */
  let open = new Map(subjects.map((subject) => [subject, 1]));
  for (let round = 0; open.size > 0; round += 1) {
    if (round === 20) throw new TributaryError("TRIB_SERVICE_UNEXPECTED", "the vault gives no key for a subject");
    const offers = [...open].map(([subject, generation]) => {
      const key = newDataKey({ subject, generation });
      return { ...key, wrapped: wrap(kek.current, key) };
    });
    const { rows } = await pool.query<KeyRow>(offer, [
      offers.map(({ subject }) => subject),
      offers.map(({ generation }) => generation),
      offers.map(({ wrapped }) => wrapped),
      kek.current.id,
    ]);
    const last = new Map(rows.map((row) => [row.subject, row]));
    const next = new Map<string, number>();
    for (const { wrapped, ...offered } of offers) {
      const { subject, generation } = offered;
      const row = last.get(subject);
      // What was offered and taken needn't be opened again.
      if (row?.wrapped?.equals(wrapped)) found.push(offered);
      else if (row?.wrapped) found.push(unwrap(kek, row.kek_id, nameOf(row), row.wrapped));
      else next.set(subject, row ? row.generation + 1 : generation);
    }
    open = next;
  }
  return found;
}
