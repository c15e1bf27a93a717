import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type KeyName, keyText } from "../vault/data-key.js";

/** Under what something was opened that isn't handed out yet. */
export interface OpenedUnder {
  /** Destructions of keys before anything was opened. */
  readonly epoch: number;
  /** As {@link keyText} writes them. */
  readonly keys: ReadonlySet<string>;
}

/** Destructions of keys so far. */
export async function vaultEpoch(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ epoch: number }>("SELECT epoch FROM engine.vault_epoch");
  return Number(rows[0]?.epoch ?? 0);
}

/**
 * To be asked right before something is handed out: an erasure is done only long after it destroyed the keys, so nothing
 * is handed out after that.
 * @throws TRIB_AUDIT_ERASED_MEANWHILE when a key was destroyed under which it was opened.
 */
export async function assertStillOpen(pool: Pool, opened: OpenedUnder | undefined): Promise<void> {
  if (!opened || opened.keys.size === 0) return;
  const { rows } = await pool.query<KeyName>(
    "SELECT subject, generation FROM engine.vault_destroyed($1) WHERE subject IS NOT NULL",
    [opened.epoch],
  );
  if (rows.some((name) => opened.keys.has(keyText(name)))) throw new TributaryError("TRIB_AUDIT_ERASED_MEANWHILE");
}
