import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../../engine/service/errors.js";
import { tail } from "../commands.js";
import { tellsOfFullDisk } from "../disk.js";
import { isFree } from "../ports.js";
import { commandLineOf, signal } from "../processes.js";
import type { ServiceName, StackReport } from "../services.js";
import { markOf, pathsOf } from "./paths.js";

/** One service of a local stack: how it is started, asked and stopped. */
export interface LocalService {
  readonly name: ServiceName;
  /** Every port that it listens on. */
  readonly ports: readonly number[];
  readonly command: string;
  readonly parameters: readonly string[];
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Makes data and configuration, before the first start or each start. */
  readonly prepare: () => Promise<void>;
  /** True when the service answers as it should. */
  readonly probe: () => Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
}

/** Milliseconds a service may take to answer, and to end. A slow disk after a crash is the longest known case. */
const startLimit = 120_000;
const stopLimit = 30_000;
const logLimit = 20_000_000;

/** The process id of a service that runs; undefined when it does not. */
export async function pidOf(home: string, name: ServiceName): Promise<number | undefined> {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(pathsOf(home).pid(name), "utf8"), 10);
  } catch {
    return undefined;
  }
  if (!(pid > 1)) return undefined;
  const line = await commandLineOf(pid);
  return `${line ?? ""} `.includes(markOf(home, name)) ? pid : undefined;
}

/**
 * Looks at the ports of a service that does not run.
 * @throws TRIB_STACK_PORT_TAKEN
 */
export async function requirePorts(home: string, service: LocalService): Promise<void> {
  if ((await pidOf(home, service.name)) !== undefined) return;
  for (const port of service.ports) {
    if (await isFree(port)) continue;
    throw new TributaryError(
      "TRIB_STACK_PORT_TAKEN",
      `Port ${port} of 127.0.0.1, where ${service.name} listens, is taken by another program.`,
      { port, service: service.name },
    );
  }
}

/**
 * Starts a service, or waits for the one that a killed start has left behind.
 * @param givenUp when it is aborted, another service has failed: this one is ended unless it answers already.
 * @throws TRIB_STACK_START_FAILED, TRIB_STACK_DISK_FULL
 */
export async function startService(
  home: string,
  service: LocalService,
  report: StackReport,
  givenUp: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  if ((await pidOf(home, service.name)) === undefined) {
    report({ kind: "starting", service: service.name });
    await service.prepare();
    await launch(home, service);
  } else if (await service.probe()) {
    report({ kind: "found", service: service.name });
    return;
  }
  const failure = await waitForAnswer(home, service, givenUp);
  if (failure === undefined && !givenUp.aborted) {
    report({ kind: "ready", service: service.name, milliseconds: performance.now() - startedAt });
    return;
  }
  // One that hangs would hang the next start as well.
  if (failure !== undefined || !(await service.probe())) await stopService(home, service, report);
  if (failure !== undefined) throw failure;
}

/** Starts the process of a service in a session of its own, so that it outlives the command that started it. */
async function launch(home: string, service: LocalService): Promise<void> {
  const paths = pathsOf(home);
  for (const folder of paths.folders) mkdirSync(folder, { recursive: true });
  rotate(paths.log(service.name));
  rmSync(paths.pid(service.name), { force: true });
  const log = openSync(paths.log(service.name), "a");
  try {
    // The shell writes its own process id and then becomes the service: however early this command is killed,
    // there is no service whose id nobody knows.
    const script = 'echo $$ > "$0" && exec "$@"';
    const child = spawn("/bin/sh", ["-c", script, paths.pid(service.name), service.command, ...service.parameters], {
      cwd: service.folder,
      env: service.environment,
      detached: true,
      stdio: ["ignore", log, log],
    });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    while (readPid(paths.pid(service.name)) === undefined && child.exitCode === null) await pause(5);
  } finally {
    closeSync(log);
  }
}

function readPid(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

function rotate(log: string): void {
  try {
    if (statSync(log).size > logLimit) renameSync(log, `${log}.1`);
  } catch {
    // The first start has no log yet.
  }
}

/** Waits for an answer, or until that is given up; gives the failure when there will be none. */
async function waitForAnswer(
  home: string,
  service: LocalService,
  givenUp: AbortSignal,
): Promise<TributaryError | undefined> {
  const deadline = Date.now() + startLimit;
  while (!(await service.probe()) && !givenUp.aborted) {
    const ended = (await pidOf(home, service.name)) === undefined;
    if (ended || Date.now() > deadline) return startFailure(home, service.name, ended);
    await pause(50);
  }
  return undefined;
}

function startFailure(home: string, name: ServiceName, ended: boolean): TributaryError {
  const path = pathsOf(home).log(name);
  const lines = tail(readPid(path) ?? "");
  const happened = ended ? "ended while it was starting" : `did not answer within ${startLimit / 1000} s`;
  return new TributaryError(
    tellsOfFullDisk(lines) ? "TRIB_STACK_DISK_FULL" : "TRIB_STACK_START_FAILED",
    `${name} ${happened}. The end of ${path}:\n${lines}`,
    { service: name },
  );
}

/**
 * Ends a service and waits until it is gone. Data is kept.
 * @throws TRIB_STACK_STOP_FAILED
 */
export async function stopService(
  home: string,
  service: Pick<LocalService, "name" | "stopSignal">,
  report: StackReport,
): Promise<void> {
  const pid = await pidOf(home, service.name);
  if (pid === undefined) return;
  const startedAt = performance.now();
  report({ kind: "stopping", service: service.name });
  for (const [name, limit] of [
    [service.stopSignal, stopLimit],
    ["SIGKILL", 10_000],
  ] as const) {
    if ((await pidOf(home, service.name)) === pid) signal(pid, name);
    const deadline = Date.now() + limit;
    while ((await pidOf(home, service.name)) === pid && Date.now() < deadline) await pause(50);
  }
  if ((await pidOf(home, service.name)) === pid) {
    throw new TributaryError("TRIB_STACK_STOP_FAILED", `${service.name}, process ${pid}, does not end.`, { pid });
  }
  rmSync(pathsOf(home).pid(service.name), { force: true });
  report({ kind: "stopped", service: service.name, milliseconds: performance.now() - startedAt });
}
