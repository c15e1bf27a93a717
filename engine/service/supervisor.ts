import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { type ProcessKind, registered } from "./registration.js";
import { builtRoot } from "./root.js";

/** One process to keep alive. */
export interface ProcessSpec {
  readonly name: string;
  readonly kind: ProcessKind;
  /** Everything the process may know: nothing of the supervisor's own environment is inherited. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface SupervisorOptions {
  readonly home: string;
  readonly logger: Logger;
  /** First pause before a dead process is started again; doubles up to 30 s, and starts over after a minute of life. Default 500 ms. */
  readonly firstPauseMilliseconds?: number;
}

export interface Supervisor {
  /** Keeps one more process alive. */
  add(spec: ProcessSpec): void;
  /** SIGTERM to all, SIGKILL to what is still there after the time a batch may take. */
  stop(): Promise<void>;
}

interface Kept {
  readonly spec: ProcessSpec;
  child?: ChildProcess;
  startedAt: number;
  pause: number;
  notBefore: number;
}

const longestPause = 30_000;
const healthyAfter = 60_000;
const killAfter = 25_000;

/**
 * Starts one operating-system process each, restarts what dies, and leaves the others alone.
 * A process of the same name that runs already (left by a supervisor that was killed) is left to run and watched.
 */
export function startSupervisor(options: SupervisorOptions): Supervisor {
  const { home, logger } = options;
  const firstPause = options.firstPauseMilliseconds ?? 500;
  const kept = new Map<string, Kept>();
  let stopping = false;

  const start = (entry: Kept) => {
    const { spec } = entry;
    mkdirSync(join(home, "logs"), { recursive: true });
    const log = openSync(join(home, "logs", `${spec.name}.log`), "a");
    const child = spawn(
      process.execPath,
      ["--enable-source-maps", join(builtRoot, "engine/service/main.js"), spec.kind, spec.name],
      {
        env: spec.environment,
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    entry.child = child;
    entry.startedAt = Date.now();
    logger.info({ process: spec.name, kind: spec.kind }, "process started");
    child.once("exit", (exitCode, signal) => {
      delete entry.child;
      const lived = Date.now() - entry.startedAt;
      entry.pause = lived > healthyAfter ? firstPause : Math.min(entry.pause * 2, longestPause);
      entry.notBefore = Date.now() + entry.pause;
      if (!stopping) {
        logger.warn(
          { process: spec.name, exitCode: exitCode ?? -1, signal: signal ?? "", milliseconds: entry.pause },
          "process ended; it will be started again",
        );
      }
    });
    child.once("error", (error) => logger.error({ process: spec.name, err: error }, "process could not be started"));
  };

  const look = () => {
    if (stopping) return;
    const running = new Set(registered(home).map((process) => process.name));
    for (const entry of kept.values()) {
      if (entry.child || running.has(entry.spec.name) || Date.now() < entry.notBefore) continue;
      start(entry);
    }
  };
  const timer = setInterval(look, 200);

  return {
    add(spec) {
      kept.set(spec.name, { spec, startedAt: 0, pause: firstPause / 2, notBefore: 0 });
      look();
    },
    async stop() {
      stopping = true;
      clearInterval(timer);
      const names = new Set(kept.keys());
      for (const process_ of registered(home)) {
        const own = kept.get(process_.name)?.child?.pid === process_.pid;
        if (names.has(process_.name) && !own) process.kill(process_.pid, "SIGTERM");
      }
      await Promise.all(
        [...kept.values()].map(
          ({ child }) =>
            new Promise<void>((resolve) => {
              if (!child) return resolve();
              const force = setTimeout(() => child.kill("SIGKILL"), killAfter);
              child.once("exit", () => {
                clearTimeout(force);
                resolve();
              });
              child.kill("SIGTERM");
            }),
        ),
      );
    },
  };
}
