import type { TrailSource } from "../engine/audit/trail.js";
import type { Codec } from "../engine/log/codec.js";
import type { Log } from "../engine/log/log.js";
import { connectCodec } from "../engine/log/registry.js";
import { allProjections } from "../engine/service/discover.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { kekSettings, type Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { openVault } from "../engine/vault/vault.js";
import { type AccessOptions, assertReason } from "./audit-options.js";
import { withLog } from "./log.js";

export interface AuditParts {
  readonly log: Log;
  readonly pool: Pool;
  readonly codec: Codec;
  readonly settings: Settings;
  readonly source: TrailSource;
}

/**
 * Runs a command over the log, its units and its read models, opened where that is asked for, and closes everything.
 * @throws TRIB_CLI_REASON_MISSING when something is to be opened and no reason is given.
 */
export async function withAudit<Result>(
  options: Pick<AccessOptions, "open" | "reason"> & { readonly scan?: boolean },
  work: (parts: AuditParts) => Promise<Result>,
): Promise<Result> {
  assertReason(options);
  return withLog(async ({ log, pool, settings }) => {
    const codec = await connectCodec(settings);
    const kek = options.open ? kekSettings(settings) : undefined;
    const vault = kek === undefined ? undefined : openVault({ pool, kek });
    const opener = kek === undefined ? undefined : sealedOpener(pool, kek, codec);
    try {
      return await work({
        log,
        pool,
        codec,
        settings,
        source: {
          log,
          pool,
          codec,
          projections: await allProjections(),
          scan: options.scan ?? false,
          ...(vault && opener ? { open: { vault, opener } } : {}),
        },
      });
    } finally {
      opener?.close();
      vault?.close();
    }
  });
}
