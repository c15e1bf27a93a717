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
import { LivingKeys } from "./living-keys.js";

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
  const living = new LivingKeys(cacheLimit);
  const forget = (destroyed: readonly KeyName[] | "all") => {
    if (destroyed === "all") living.clear();
    else for (const { subject } of destroyed) living.delete(subject);
  };
  const forgetting = new Forgetting(pool, forget, forgettingOptions);
  /** Questions under way, by each subject they are about: who asks the same meanwhile gets their answer. */
  const asked = new Map<string, Promise<readonly DataKey[]>>();

  async function load(subjects: readonly string[]): Promise<readonly DataKey[]> {
    let found: readonly DataKey[] = [];
    await forgetting.during(
      () => getOrCreate(pool, kek, subjects),
      (loaded, gone) => {
        found = loaded;
        for (const key of loaded) if (!gone.has(keyText(key))) living.set(key);
      },
    );
    return found;
  }

  function ask(subjects: readonly string[]): Promise<readonly DataKey[]> {
    const question = load(subjects).finally(() => {
      for (const subject of subjects) asked.delete(subject);
    });
    for (const subject of subjects) asked.set(subject, question);
    return question;
  }

  return {
    async keysFor(subjects) {
      const keys = new Map<string, DataKey>();
      const missing = new Set<string>();
      const questions = new Set<Promise<readonly DataKey[]>>();
      for (const subject of subjects) {
        const key = living.get(subject);
        const question = asked.get(subject);
        if (key) keys.set(subject, key);
        else if (question) questions.add(question);
        else missing.add(subject);
      }
      if (missing.size > 0) questions.add(ask([...missing]));
      for (const found of await Promise.all(questions)) for (const key of found) keys.set(key.subject, key);
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
 * the next generation of a subject whose last key was destroyed. The wrapped keys come as one run of bytes, all of a length.
 */
const offer = `
WITH offered AS (
  SELECT subject, generation, substring($3::bytea FROM (place::integer - 1) * $5::integer + 1 FOR $5::integer) AS wrapped
  FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS given (subject, generation, place)
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
  RETURNING subject, generation
)
SELECT subject, generation, NULL AS wrapped, NULL AS kek_id, true AS made FROM made
UNION ALL
SELECT last.subject, last.generation, last.wrapped, last.kek_id, false
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
    const offers = [...open].map(([subject, generation]) => newDataKey({ subject, generation }));
    const wrapped = offers.map((key) => wrap(kek.current, key));
    // Texts of lists, since the library would look at each member of one by itself.
    const { rows } = await pool.query<KeyRow & { readonly made: boolean }>(offer, [
      `{${offers.map(({ subject }) => subject).join()}}`,
      `{${offers.map(({ generation }) => generation).join()}}`,
      Buffer.concat(wrapped),
      kek.current.id,
      wrapped[0]?.length,
    ]);
    const last = new Map(rows.map((row) => [row.subject, row]));
    const next = new Map<string, number>();
    for (const offered of offers) {
      const { subject, generation } = offered;
      const row = last.get(subject);
      // What was offered and taken needn't be opened again.
      if (row?.made) found.push(offered);
      else if (row?.wrapped) found.push(unwrap(kek, row.kek_id, nameOf(row), row.wrapped));
      else next.set(subject, row ? row.generation + 1 : generation);
    }
    open = next;
  }
  return found;
}
