import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { TributaryError } from "../engine/service/errors.js";
import { type ProcessKind, type Registration, registered } from "../engine/service/registration.js";
import { openInstallation } from "./installation.js";

/** Longest wait for a process that ends and comes back. */
const restartMilliseconds = 60_000;

/**
 * Ends the processes of a name when they have done what is in hand, and waits until the one that `tributary run` starts
 * instead is ready.
 * @throws TRIB_CLI_NOT_RUNNING
 */
export async function restarted(kind: ProcessKind, name: string): Promise<Registration> {
  const { settings } = await openInstallation();
  const home = settings.TRIBUTARY_HOME;
  const found = () => registered(home).filter((one) => one.kind === kind && one.name === name);
  const before = new Set(found().map(({ pid }) => pid));
  if (before.size === 0) throw new TributaryError("TRIB_CLI_NOT_RUNNING", `The ${kind} ${name} isn't running.`);
  if (!registered(home).some((one) => one.kind === "supervisor")) {
    throw new TributaryError("TRIB_CLI_NOT_RUNNING", "No `tributary run` is there to start it again.");
  }
  for (const pid of before) process.kill(pid, "SIGTERM");
  const until = Date.now() + restartMilliseconds;
  while (Date.now() < until) {
    await wait(100);
    const now = found().find(({ pid }) => !before.has(pid));
    if (now && (await fetch(`${now.admin}/readyz`).catch(() => undefined))?.ok === true) return now;
  }
  const log = join(home, "logs", `${name}.log`);
  throw new TributaryError(
    "TRIB_CLI_NOT_RUNNING",
    `${name} is not back. Under \`tributary run\` its reason is in ${log}; one started by hand is started by hand again.`,
  );
}
