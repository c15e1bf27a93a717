import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type Registration, registered } from "../engine/service/registration.js";
import { repositoryRoot } from "../engine/service/root.js";

/** A `tributary run`, or another command that stays, in a process of its own. */
export interface Running {
  readonly child: ChildProcess;
  /** Exit code, once it ended. */
  readonly ended: Promise<number | null>;
}

/** Starts a command that stays until it is told to end. */
export function startCommand(
  environment: Readonly<Record<string, string>>,
  parameters: readonly string[],
  checkout = repositoryRoot,
): Running {
  const child = spawn(process.execPath, [join(checkout, "bin/tributary.mjs"), ...parameters], {
    env: environment,
    cwd: checkout,
    stdio: "ignore",
  });
  return { child, ended: new Promise((resolve) => child.once("exit", resolve)) };
}

/** Waits until processes of these names are there and ready. @returns their registrations. */
export async function untilReady(home: string, names: readonly string[], seconds = 60): Promise<Registration[]> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    const ready: Registration[] = [];
    for (const registration of registered(home)) {
      if ((await fetch(`${registration.admin}/readyz`).catch(() => undefined))?.ok) ready.push(registration);
    }
    const missing = names.filter((name) => !ready.some((process) => process.name === name));
    if (missing.length === 0) return ready;
    if (Date.now() > until) throw new Error(`not ready: ${missing.join(", ")}; logs in ${home}/logs`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
