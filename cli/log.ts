import { connectLog } from "../engine/log/kafka.js";
import type { Log } from "../engine/log/log.js";
import { createLogger } from "../engine/service/logger.js";
import type { Pool } from "../engine/store/pool.js";
import type { Installation } from "./installation.js";
import { withPool } from "./pool.js";

/** A command's own log: only what went wrong, unless LOG_LEVEL asks for more. */
export const commandLogger = () => createLogger("cli", process.env.LOG_LEVEL ?? "error");

/** Runs a command's work on the installation's log and database, and closes both whatever happens. */
export function withLog<Result>(
  work: (parts: Installation & { log: Log; pool: Pool }) => Promise<Result>,
): Promise<Result> {
  return withPool(async (pool, installation) => {
    const log = connectLog(installation.settings, { clientId: "tributary-cli", logger: commandLogger() });
    try {
      return await work({ ...installation, log, pool });
    } finally {
      await log.close();
    }
  });
}
