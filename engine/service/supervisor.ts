import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { failureText, lastFailure, sizeOf } from "./last-failure.js";
import { nodeFlagsFor } from "./node-flags.js";
import { type ProcessKind, type Registration, registered } from "./registration.js";
import { builtRoot } from "./root.js";
import { forgetStartRequest, startRequests } from "./start-requests.js";

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
  /**
   * First pause before a dead process is started again; default 500 ms. It doubles up to 30 s with every failure, and
   * starts over when the process has lived twenty times as long as it was waited for: one that fails while it starts is
   * slowed down, one that was at work is back at once. One that was killed, or asked to end, did not fail.
   */
  readonly firstPauseMilliseconds?: number;
  readonly onStarted?: (started: { readonly name: string; readonly pid: number }) => void;
  /** Told about every end of a process that this supervisor started. */
  readonly onEnded?: (ended: Ended) => void;
}

/** How a process ended: with a code, or by a signal. */
export interface Ended {
  readonly name: string;
  readonly pid: number;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Supervisor {
  /** Keeps one more process alive. */
  add(spec: ProcessSpec): void;
  /**
   * SIGTERM to all, SIGKILL to what is still there after the time a batch may take. What it only watches is ended, too,
   * unless another supervisor is registered: then it is that one's.
   */
  stop(): Promise<void>;
}

interface Kept {
  readonly spec: ProcessSpec;
  child?: ChildProcess;
  startedAt: number;
  /** Size of its log in bytes when it was started. */
  logged: number;
  pause: number;
  notBefore: number;
}

const longestPause = 30_000;
const livesPerPause = 20;
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
    const file = join(home, "logs", `${spec.name}.log`);
    entry.logged = sizeOf(file);
    const log = openSync(file, "a");
    const child = spawn(
      process.execPath,
      [
        ...nodeFlagsFor(spec.kind),
        "--enable-source-maps",
        join(builtRoot, "engine/service/main.js"),
        spec.kind,
        spec.name,
      ],
      {
        env: spec.environment,
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    entry.child = child;
    entry.startedAt = Date.now();
    forgetStartRequest(home, spec.name);
    logger.info({ process: spec.name, kind: spec.kind }, "process started");
    const { pid } = child;
    const ended = (failed: boolean) => {
      delete entry.child;
      const lived = Date.now() - entry.startedAt;
      if (lived > entry.pause * livesPerPause) entry.pause = firstPause;
      else if (failed) entry.pause = Math.min(entry.pause * 2, longestPause);
      entry.notBefore = Date.now() + entry.pause;
    };
    child.on("error", (error) => {
      if (pid === undefined) ended(true);
      logger.error({ process: spec.name, err: error, milliseconds: entry.pause }, "process could not be started");
    });
    if (pid === undefined) return;
    options.onStarted?.({ name: spec.name, pid });
    child.once("exit", (exitCode, signal) => {
      ended(exitCode !== 0 && signal !== "SIGKILL");
      options.onEnded?.({ name: spec.name, pid, exitCode, signal });
      if (stopping) return;
      const failure = exitCode === 0 ? undefined : lastFailure(file, entry.logged);
      logger.warn(
        {
          ...{ process: spec.name, exitCode: exitCode ?? -1, signal: signal ?? "", milliseconds: entry.pause },
          ...(failure && { reason: failureText(failure) }),
          location: file,
        },
        "process ended; it will be started again",
      );
    });
  };

  const look = () => {
    if (stopping) return;
    const running = new Set(registered(home).map((process) => process.name));
    const wanted = new Set(startRequests(home));
    for (const entry of kept.values()) {
      if (entry.child || running.has(entry.spec.name)) continue;
      if (Date.now() < entry.notBefore && !wanted.has(entry.spec.name)) continue;
      start(entry);
    }
  };
  const timer = setInterval(look, 200);

  return {
    add(spec) {
      kept.set(spec.name, { spec, startedAt: 0, logged: 0, pause: firstPause / 2, notBefore: 0 });
      look();
    },
    async stop() {
      stopping = true;
      clearInterval(timer);
      const found = registered(home);
      const others = found.some(({ kind, pid }) => kind === "supervisor" && pid !== process.pid);
      const isAlone = ({ name, pid }: Registration) => kept.has(name) && kept.get(name)?.child?.pid !== pid;
      const alone = others ? [] : found.filter(isAlone);
      await Promise.all([stopAdopted(home, alone), ...[...kept.values()].map(({ child }) => stopChild(child))]);
    },
  };
}

function stopChild(child: ChildProcess | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (!child) return resolve();
    const force = setTimeout(() => child.kill("SIGKILL"), killAfter);
    child.once("exit", () => {
      clearTimeout(force);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

/** Processes of a supervisor that is gone are nobody's children here: their registrations tell when they are gone too. */
async function stopAdopted(home: string, adopted: readonly Registration[]): Promise<void> {
  const pids = new Set(adopted.map(({ pid }) => pid));
  const send = (signal: NodeJS.Signals) => {
    for (const { pid } of registered(home)) if (pids.has(pid)) process.kill(pid, signal);
  };
  const until = Date.now() + killAfter;
  send("SIGTERM");
  while (registered(home).some(({ pid }) => pids.has(pid))) {
    if (Date.now() > until) send("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
