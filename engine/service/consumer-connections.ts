import type { Logger } from "pino";
import type { Codec } from "../log/codec.js";
import { connectLog } from "../log/kafka.js";
import type { Log } from "../log/log.js";
import type { DatedOpener } from "../projector/ports.js";
import { openedEventTypes } from "../projector/roles.js";
import { openPool, type Pool } from "../store/pool.js";
import type { ConsumerDefinition } from "./consumer.js";
import { closedOpener, sealedOpener } from "./sealed-opener.js";
import { kekSettings, requireSetting, type Settings } from "./settings.js";

/** A consumer's own ways to the log and to Postgres. DATABASE_URL is that of its own role. Connects on first use. */
export function consumerConnections(
  name: string,
  settings: Settings,
  logger: Logger,
): { readonly log: Log; readonly pool: Pool; close(): Promise<void> } {
  const log = connectLog(settings, { clientId: `tributary-${name}`, logger });
  const pool = openPool(requireSetting(settings, "DATABASE_URL"), {
    applicationName: `tributary ${name}`,
    max: settings.DATABASE_POOL,
    silence: settings.DATABASE_SILENCE_SECONDS * 1000,
  });
  return {
    log,
    pool,
    async close() {
      await log.close();
      await pool.end();
    },
  };
}

/** Opens the sealed content that a definition names, and none where it names none. */
export const consumerOpener = (
  definition: ConsumerDefinition,
  pool: Pool,
  settings: Settings,
  codec: Codec,
): DatedOpener & { close(): void } =>
  openedEventTypes(definition).length > 0 ? sealedOpener(pool, kekSettings(settings), codec) : closedOpener;
