import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { composeServices, dockerAnswers, startCompose, stopCompose } from "./compose.js";
import { givenServices } from "./given.js";
import { localProcesses, localServices, startLocal, stopLocal } from "./local/local.js";
import { withLock } from "./lock.js";
import { freePorts, listens } from "./ports.js";
import { type ServiceName, type StackReport, type StackServices, serviceNames } from "./services.js";
import { readState, type StackState, writeState } from "./state.js";

export type { StackProgress, StackReport, StackServices } from "./services.js";

export interface StartOptions {
  /** `TRIBUTARY_HOME`: state of the stack; made if absent. */
  readonly home: string;
  /** Environment variables: the settings, and what Java, Maven and Docker need. */
  readonly environment: NodeJS.ProcessEnv;
  /** Told each step while it happens. */
  readonly report: StackReport;
}

/**
 * Starts a stack, or finds the one that runs: the services that settings name; else Docker Compose where a Docker
 * engine answers; else processes of this machine. What the first start of a home decided is kept, for its data is there.
 * Idempotent; a second start at the same time waits for the first.
 * @throws TRIB_STACK_* errors, each with its remedy.
 */
export async function startStack(options: StartOptions): Promise<StackServices> {
  const home = resolve(options.home);
  const { environment, report } = options;
  const given = givenServices(home, environment);
  if (given) return given;
  mkdirSync(home, { recursive: true });
  return withLock(
    lockOf(home),
    async () => {
      const state = readState(home) ?? (await firstState(home, environment));
      const start = state.mode === "compose" ? startCompose : startLocal;
      return start(home, state, environment, report);
    },
    { onWait: (holderPid) => report({ kind: "waiting", holderPid }) },
  );
}

/**
 * The stack that settings name, or the one below a home if all its services answer; undefined otherwise.
 * Starts nothing and changes nothing.
 */
export async function findStack(
  home: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<StackServices | undefined> {
  const folder = resolve(home);
  const given = givenServices(folder, environment);
  if (given) return given;
  const state = readState(folder);
  if (!state || (await silentServices(folder, state)).length > 0) return undefined;
  return (state.mode === "compose" ? composeServices : localServices)(folder, state);
}

/** Services of a stack that was started below a home and do not answer now; none where no stack was ever started there. */
export async function missingServices(home: string): Promise<readonly ServiceName[]> {
  const folder = resolve(home);
  const state = readState(folder);
  return state ? silentServices(folder, state) : [];
}

/** A port may be another's by now: on this machine the process has to be there, too. */
async function silentServices(folder: string, { mode, ports }: StackState): Promise<readonly ServiceName[]> {
  const processes = mode === "local" ? await localProcesses(folder) : undefined;
  const answers = await Promise.all(
    serviceNames.map(async (name) => (!processes || processes[name] !== undefined) && (await listens(ports[name]))),
  );
  return serviceNames.filter((_, index) => !answers[index]);
}

/** Stops the stack below a home; its data stays. Services that settings name are not ours to stop. */
export async function stopStack(
  home: string,
  options: { readonly environment?: NodeJS.ProcessEnv; readonly report?: StackReport } = {},
): Promise<void> {
  const folder = resolve(home);
  const environment = options.environment ?? process.env;
  const report = options.report ?? (() => {});
  const state = readState(folder);
  if (!state) return;
  await withLock(
    lockOf(folder),
    async () => {
      if (state.mode === "compose") await stopCompose(folder, state, environment, report);
      else await stopLocal(folder, report);
    },
    { onWait: (holderPid) => report({ kind: "waiting", holderPid }) },
  );
}

const lockOf = (home: string) => join(home, "stack.lock");

async function firstState(home: string, environment: NodeJS.ProcessEnv): Promise<StackState> {
  const state: StackState = {
    format: 1,
    mode: (await dockerAnswers(environment)) ? "compose" : "local",
    ports: await freePorts(),
    clusterId: randomBytes(16).toString("base64url"),
  };
  writeState(home, state);
  return state;
}
