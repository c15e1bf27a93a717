import { userInfo } from "node:os";
import { InvalidArgumentError } from "commander";
import { type TrailKind, type TrailSource, trailKinds } from "../engine/audit/trail.js";
import type { Codec } from "../engine/log/codec.js";
import type { Log } from "../engine/log/log.js";
import { connectCodec } from "../engine/log/registry.js";
import { allProjections } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { kekSettings, type Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { openVault } from "../engine/vault/vault.js";
import { withLog } from "./log.js";

/** Who calls, for the record: the name given, else that of the system's user. */
export const actorOf = (by: string | undefined): string => by ?? userInfo().username;

/** @throws InvalidArgumentError for another kind. */
export function trailKindOf(text: string): TrailKind {
  const kind = trailKinds.find((each) => each === text);
  if (!kind) throw new InvalidArgumentError(`one of ${trailKinds.join(", ")}.`);
  return kind;
}

/** @throws InvalidArgumentError for what is no surrogate id. */
export function surrogateOf(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError("a surrogate id, as the read models show it.");
  }
  return text.toLowerCase();
}

export interface AuditParts {
  readonly log: Log;
  readonly pool: Pool;
  readonly codec: Codec;
  readonly settings: Settings;
  readonly source: TrailSource;
}

/**
 * Runs a command over the log, its units and its read models, opened where that is asked for, and closes everything.
 * @throws TRIB_CLI_UNCONFIRMED when something is to be opened and no reason is given.
 */
export function withAudit<Result>(
  options: { readonly open?: boolean; readonly scan?: boolean; readonly reason?: string },
  work: (parts: AuditParts) => Promise<Result>,
): Promise<Result> {
  return withLog(async ({ log, pool, settings }) => {
    if (options.open && !options.reason) {
      throw new TributaryError(
        "TRIB_CLI_UNCONFIRMED",
        "What identifies a person is opened for a reason: give --reason.",
      );
    }
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
