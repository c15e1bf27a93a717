import type { Logger } from "pino";
import type { Address } from "../intake/connector.js";
import { type AdminServer, startAdmin } from "./admin.js";
import { TributaryError } from "./errors.js";
import { createLogger } from "./logger.js";
import { createMetrics, type Metrics } from "./metrics.js";
import { type ProcessKind, register } from "./registration.js";
import { readSettings, type Settings } from "./settings.js";

/** What a process has to do its work with. */
export interface Surroundings {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ends the process with the error's exit code, after the log line; for failures outside any call. */
  readonly fail: (error: Error) => void;
}

/** A service at work, as the shell around it sees it. */
export interface RunningService {
  readonly addresses?: readonly Address[];
  /** False when it makes no progress although it should. */
  live(): boolean;
  ready(): boolean;
  /** Further facts for `tributary status`. */
  state(): Readonly<Record<string, unknown>>;
  /** Finishes what is in hand. */
  close(): Promise<void>;
}

/** A process that does not finish its work within this time after SIGTERM is ended: its checkpoint makes that safe. */
const closeWithinMilliseconds = 20_000;

/**
 * The life of one process: settings, log, admin server, work, and an orderly end.
 * SIGTERM or SIGINT finishes the batch in hand and exits 0; a failure exits with the code of its error.
 */
export async function runProcess(
  identity: { readonly name: string; readonly kind: ProcessKind },
  start: (surroundings: Surroundings) => Promise<RunningService>,
): Promise<void> {
  const logger = createLogger(identity.name, process.env.LOG_LEVEL ?? "info");
  let service: RunningService | undefined;
  let admin: AdminServer | undefined;
  let unregister: (() => void) | undefined;
  let ending = false;

  const end = async (exitCode: number) => {
    if (ending) return;
    ending = true;
    const overdue = setTimeout(() => {
      logger.error({ process: identity.name, exitCode: 75 }, "did not finish in time");
      unregister?.();
      process.exit(75);
    }, closeWithinMilliseconds);
    overdue.unref();
    let code = exitCode;
    try {
      await service?.close();
      await admin?.close();
    } catch (error) {
      logger.error({ err: error }, "could not close in order");
      code ||= 70;
    }
    unregister?.();
    logger.info({ process: identity.name, exitCode: code }, "ended");
    process.exit(code);
  };
  const fail = (error: unknown) => {
    const exitCode = error instanceof TributaryError ? error.definition.exitCode : 70;
    logger.fatal({ err: error, exitCode }, "stopped by a failure");
    void end(exitCode);
  };

  process.on("SIGTERM", () => void end(0));
  process.on("SIGINT", () => void end(0));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    const settings = readSettings();
    const metrics = createMetrics();
    admin = await startAdmin({
      host: settings.ADMIN_HOST,
      port: settings.ADMIN_PORT,
      metrics,
      live: () => service?.live() ?? true,
      ready: () => service?.ready() ?? false,
      state: () => ({ name: identity.name, kind: identity.kind, pid: process.pid, ...service?.state() }),
    });
    service = await start({ settings, logger, metrics, fail });
    unregister = register(settings.TRIBUTARY_HOME, {
      ...identity,
      addresses: service.addresses ?? [],
      admin: admin.url,
    });
    logger.info({ process: identity.name, kind: identity.kind, admin: admin.url }, "started");
    if (ending) unregister();
  } catch (error) {
    fail(error);
  }
}
