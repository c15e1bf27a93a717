import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../../engine/intake/connector.js";
import { connectLog } from "../../engine/log/kafka.js";
import type { Log } from "../../engine/log/log.js";
import { createLogger } from "../../engine/service/logger.js";
import { nodeFlagsFor } from "../../engine/service/node-flags.js";
import { prepareInstallation, processSpecs } from "../../engine/service/prepare.js";
import { registered } from "../../engine/service/registration.js";
import { builtRoot } from "../../engine/service/root.js";
import { readSettings, type Settings } from "../../engine/service/settings.js";
import { type ProcessSpec, startSupervisor } from "../../engine/service/supervisor.js";
import { freshDatabase } from "../../engine/testing/database.js";

/** An installation of its own for a measurement: database, topics and home; real processes, as `run` starts them. */
export interface BenchPlace {
  readonly settings: Settings;
  readonly log: Log;
  /** Where the connector listens. */
  readonly addresses: readonly Address[];
  /** Starts one more process, e.g. `publisher`, and waits until it is ready. */
  start(name: string): Promise<void>;
  /** The running process of a name. */
  pid(name: string): number;
  /** What a process used so far. */
  usage(name: string): ProcessUsage;
}

export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** Highest resident memory so far, bytes. */
  readonly peakBytes: number;
}

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const ticks = 100;

function usageOf(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks, peakBytes: Number(peak?.[1] ?? 0) * 1024 };
}

async function untilReady(home: string, name: string): Promise<void> {
  const until = Date.now() + 60_000;
  for (;;) {
    const found = registered(home).find((process) => process.name === name);
    if (found && (await fetch(`${found.admin}/readyz`).catch(() => undefined))?.ok) return;
    if (Date.now() > until) throw new Error(`${name} is not ready; its log is in ${home}/logs`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The process as the supervisor would start it, but for the profile that it writes when it ends. */
function startProfiled({ kind, name, environment }: ProcessSpec, folder: string): ChildProcess {
  const flags = [...nodeFlagsFor(kind), "--cpu-prof", `--cpu-prof-dir=${folder}`];
  return spawn(process.execPath, [...flags, join(builtRoot, "engine/service/main.js"), kind, name], {
    env: { ...environment },
    stdio: "ignore",
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

/** Makes the place, starts the connector, and takes all away again. */
export async function withPlace<Result>(
  connector: string,
  options: { readonly settings?: Readonly<Record<string, string>> | undefined; readonly profile?: string | undefined },
  use: (place: BenchPlace) => Promise<Result>,
): Promise<Result> {
  const home = mkdtempSync(join(tmpdir(), "tributary-bench-"));
  const database = await freshDatabase({ empty: true });
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment[name] = value;
  Object.assign(environment, {
    TRIBUTARY_HOME: home,
    DATABASE_URL: database.url,
    TOPIC_PREFIX: `bench-${randomBytes(4).toString("hex")}.`,
    LOG_LEVEL: "warn",
    ...options.settings,
  });
  const settings = readSettings(environment);
  const installation = { settings, environment };
  const logger = createLogger("bench", "silent");
  const supervisor = startSupervisor({ home, logger });
  const log = connectLog(settings, { clientId: "bench", logger });
  const find = (name: string) => {
    const found = registered(home).find((process) => process.name === name);
    if (!found) throw new Error(`${name} does not run; its log is in ${home}/logs`);
    return found;
  };
  let profiled: ChildProcess | undefined;
  const start = async (name: string) => {
    for (const spec of await processSpecs(installation, [name])) {
      if (options.profile && name === connector) profiled = startProfiled(spec, options.profile);
      else supervisor.add(spec);
    }
    await untilReady(home, name);
  };
  try {
    await prepareInstallation(installation, () => {});
    await start(connector);
    return await use({
      settings,
      log,
      addresses: find(connector).addresses,
      start,
      pid: (name) => find(name).pid,
      usage: (name) => usageOf(find(name).pid),
    });
  } finally {
    if (profiled) await ended(profiled);
    await supervisor.stop();
    await log.close();
    await database.drop();
    rmSync(home, { recursive: true, force: true });
  }
}
