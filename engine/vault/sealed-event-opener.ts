import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type DataKey, type KekSettings, type KeyName, keyEncryptionKeys, keyText, unwrap } from "./data-key.js";
import { Forgetting, type ForgettingOptions } from "./forgetting.js";
import { KeyCache } from "./key-cache.js";
import { type EventName, keyOfSealedEvent, openEvent } from "./sealed-event.js";

export interface SealedEvent extends EventName {
  /** The event's `sealed` bytes. */
  readonly sealed: Buffer;
}

export interface SealedEventOpener {
  /**
   * What is inside, in the order given (an encoded Avro record); null where the key was destroyed.
   * One round trip for all keys that aren't in memory.
   * @throws TRIB_VAULT_FORBIDDEN when the login role may not open an event type.
   * @throws TRIB_VAULT_TAMPERED, TRIB_VAULT_KEY_MISSING, TRIB_VAULT_KEK_UNKNOWN: the vault or the log is not as it was.
   * @throws TRIB_STORE_UNAVAILABLE
   */
  open(events: readonly SealedEvent[]): Promise<(Buffer | null)[]>;
  /**
   * Destructions of keys so far: nothing is opened from here on under a key that one of them destroyed.
   * @throws TRIB_STORE_UNAVAILABLE
   */
  epoch(): Promise<number>;
  close(): void;
}

export interface SealedEventOpenerOptions extends ForgettingOptions {
  /** Connected as the consumer's own role: the database decides what it may open. */
  readonly pool: Pool;
  /** Key-encryption key, 64 hexadecimal digits (`TRIBUTARY_KEK`), or both while keys are rewrapped. */
  readonly kek: string | KekSettings;
  /** Most keys held in memory; default 100,000. */
  readonly cacheLimit?: number;
}

interface OpenedRow extends KeyName {
  readonly wrapped: Buffer | null;
  readonly kek_id: string;
}

/** Opens sealed events through `engine.vault_open`, as a consumer may. */
export function sealedEventOpener(options: SealedEventOpenerOptions): SealedEventOpener {
  const { pool, cacheLimit = 100_000 } = options;
  const kek = keyEncryptionKeys(options.kek);
  /** What was destroyed stays destroyed, so it is kept as well. */
  const cache = new KeyCache<DataKey | "destroyed">(cacheLimit);
  /** Event types that the database let this role open: a key in memory is no permission for another type. */
  const allowed = new Set<string>();
  const forgetting = new Forgetting(
    pool,
    (destroyed) => {
      if (destroyed === "all") cache.clear();
      else for (const name of destroyed) cache.set(keyText(name), "destroyed");
    },
    options,
  );

  async function load(wanted: ReadonlyMap<string, KeyName & { type: string }>): Promise<OpenedRow[]> {
    const list = [...wanted.values()];
    try {
      const { rows } = await pool.query<OpenedRow>(
        `SELECT opened.subject, opened.generation, opened.wrapped, opened.kek_id
        FROM (
          SELECT event_type, pg_catalog.array_agg(subject) AS subjects, pg_catalog.array_agg(generation) AS generations
          FROM unnest($1::text[], $2::uuid[], $3::integer[]) AS given (event_type, subject, generation)
          GROUP BY event_type
        ) AS wanted, engine.vault_open(wanted.event_type, wanted.subjects, wanted.generations) AS opened`,
        [list.map(({ type }) => type), list.map(({ subject }) => subject), list.map(({ generation }) => generation)],
      );
      return rows;
    } catch (error) {
      if ((error as { code?: string }).code === "42501") {
        const types = [...new Set(list.map(({ type }) => type))].join(" ");
        throw new TributaryError("TRIB_VAULT_FORBIDDEN", undefined, { types }, { cause: error });
      }
      throw error;
    }
  }

  return {
    async open(events) {
      // What is sealed under a key that was destroyed this long ago must stay closed, whatever is in memory: see erase.ts.
      await forgetting.fresh();
      const names = events.map(({ sealed }) => keyOfSealedEvent(sealed));
      const keys = new Map<string, DataKey | "destroyed">();
      const wanted = new Map<string, KeyName & { type: string }>();
      for (const [index, { type }] of events.entries()) {
        const name = names[index] as KeyName;
        const cached = cache.get(keyText(name));
        if (cached && allowed.has(type)) keys.set(keyText(name), cached);
        else wanted.set(`${type} ${keyText(name)}`, { ...name, type });
      }
      if (wanted.size > 0) {
        await forgetting.during(
          () => load(wanted),
          (rows, gone) => {
            for (const { subject, generation, wrapped, kek_id } of rows) {
              const name = { subject, generation };
              const key = wrapped === null ? "destroyed" : unwrap(kek, kek_id, name, wrapped);
              keys.set(keyText(name), key);
              if (key === "destroyed" || !gone.has(keyText(name))) cache.set(keyText(name), key);
            }
          },
        );
        for (const { type } of wanted.values()) allowed.add(type);
      }
      return events.map((event, index) => {
        const name = names[index] as KeyName;
        const key = keys.get(keyText(name));
        if (!key) throw new TributaryError("TRIB_VAULT_KEY_MISSING", undefined, { ...name });
        return key === "destroyed" ? null : openEvent(event, key, event.sealed);
      });
    },
    epoch: () => forgetting.look(),
    close: () => forgetting.close(),
  };
}
