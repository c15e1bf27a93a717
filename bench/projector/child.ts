import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openedEventTypes } from "../../engine/projector/roles.js";
import type { ConsumerDefinition } from "../../engine/service/consumer.js";
import { environmentFor } from "../../engine/service/environment.js";
import { nodeFlags } from "../../engine/service/node-flags.js";
import { prepareConsumerRole, processSpecs } from "../../engine/service/prepare.js";
import { registered } from "../../engine/service/registration.js";
import { builtRoot } from "../../engine/service/root.js";
import type { ProcessSpec } from "../../engine/service/supervisor.js";
import type { Place } from "./place.js";

/** A process of the product, started as its supervisor would. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** @throws with the end of its log when it has ended by itself. */
  assertAlive(): void;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/** What is started, and how: nothing of this process's own environment is inherited. */
export interface Start {
  readonly spec: ProcessSpec;
  readonly script: string;
  readonly parameters: readonly string[];
}

/** A process as the supervisor knows it: publisher, connector, or a consumer of `consumers/`. */
export async function productStart(place: Place, name: string): Promise<Start> {
  const [spec] = await processSpecs(place, [name]);
  if (!spec) throw new Error(`no process ${name}`);
  return { spec, script: "engine/service/main.js", parameters: [spec.kind, spec.name] };
}

/** A consumer that is in no folder of `consumers/`; its process finds the definition by name in `definitions.ts`. */
export async function benchStart(place: Place, definition: ConsumerDefinition): Promise<Start> {
  const { name } = definition;
  const DATABASE_URL = await prepareConsumerRole(place, definition);
  const identity = { kind: "consumer", name, opensSealed: openedEventTypes(definition).length > 0 } as const;
  const spec = {
    kind: "consumer",
    name,
    environment: environmentFor(identity, place.environment, { DATABASE_URL }),
  } as const;
  return { spec, script: "bench/projector/consumer-process.js", parameters: [name] };
}

const tail = (path: string) => readFileSync(path, "utf8").split("\n").slice(-15).join("\n");

let started = 0;

/** Starts one process. */
export function startChild(place: Place, { spec, script, parameters }: Start): Child {
  const path = join(place.settings.TRIBUTARY_HOME, `${spec.name}-${++started}.log`);
  const log = openSync(path, "a");
  const child: ChildProcess = spawn(
    process.execPath,
    [...nodeFlags, "--enable-source-maps", join(builtRoot, script), ...parameters],
    {
      env: spec.environment,
      stdio: ["ignore", log, log],
    },
  );
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${spec.name} could not be started`);
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => {
      ended = true;
      resolve();
    });
  });
  // Nothing measured outlives the bench, however that ends.
  const orphaned = () => child.kill("SIGKILL");
  process.once("exit", orphaned);
  const end = async (signal: NodeJS.Signals) => {
    if (!ended) child.kill(signal);
    await exited;
    process.off("exit", orphaned);
  };
  return {
    name: spec.name,
    pid,
    assertAlive() {
      if (ended) throw new Error(`${spec.name} ended by itself:\n${tail(path)}`);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

/** Partitions that processes have by now, by process id; one that is not registered yet has none. */
export async function partitionsOf(place: Place, children: readonly Child[]): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  const known = registered(place.settings.TRIBUTARY_HOME);
  for (const { pid } of children) {
    const admin = known.find((process) => process.pid === pid)?.admin;
    if (!admin) continue;
    const answer = await fetch(`${admin}/state`).catch(() => undefined);
    if (!answer?.ok) continue;
    const { partitions, assignment } = (await answer.json()) as { partitions?: unknown[]; assignment?: unknown[] };
    counts.set(pid, (partitions ?? assignment ?? []).length);
  }
  return counts;
}
