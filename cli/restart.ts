import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { TributaryError } from "../engine/service/errors.js";
import { failureText, lastFailure, sizeOf } from "../engine/service/last-failure.js";
import { type ProcessKind, type Registration, registered } from "../engine/service/registration.js";
import { askToStart } from "../engine/service/start-requests.js";

/** Longest wait for a process that ends and comes back. */
const restartMilliseconds = 60_000;

/**
 * Ends the processes of a name when they have done what is in hand, and waits until the one that `tributary run` starts
 * instead is ready. One that waits to be started again after a failure is started at once.
 * @throws TRIB_CLI_NOT_RUNNING; before anything is ended where nothing would start it again.
 */
export async function restarted(home: string, kind: ProcessKind, name: string): Promise<Registration> {
  const found = () => registered(home).filter((one) => one.kind === kind && one.name === name);
  const before = new Set(found().map(({ pid }) => pid));
  assertKept(home, kind, name, [...before]);
  const log = join(home, "logs", `${name}.log`);
  const logged = sizeOf(log);
  for (const pid of before) process.kill(pid, "SIGTERM");
  askToStart(home, name);
  const until = Date.now() + restartMilliseconds;
  while (Date.now() < until) {
    await wait(100);
    const now = found().find(({ pid }) => !before.has(pid));
    if (now && (await fetch(`${now.admin}/readyz`).catch(() => undefined))?.ok === true) return now;
    const failure = lastFailure(log, logged);
    if (failure) throw notBack(`${name} is not back: ${failureText(failure)}`, log);
  }
  throw notBack(`${name} is not back.`, log);
}

const notBack = (what: string, log: string) =>
  new TributaryError("TRIB_CLI_NOT_RUNNING", `${what}\n  \`tributary run\` tries again by itself. Its log: ${log}`);

/** Whether somebody is there who starts it again. A supervisor of an older version doesn't say what it keeps. */
function assertKept(home: string, kind: ProcessKind, name: string, pids: readonly number[]): void {
  const supervisors = registered(home).filter((one) => one.kind === "supervisor");
  if (supervisors.some(({ keeps }) => keeps === undefined || keeps.includes(name))) return;
  const others = supervisors.length > 0;
  if (pids.length > 0) {
    const why = others ? "`tributary run` does not keep it" : "no `tributary run` would start it again";
    throw new TributaryError(
      "TRIB_CLI_NOT_RUNNING",
      `The ${kind} ${name} was started by hand (process ${pids.join(", ")}), and ${why}: it goes on as it is. End it where it runs, and start it there again.`,
    );
  }
  throw new TributaryError(
    "TRIB_CLI_NOT_RUNNING",
    others
      ? `The ${kind} ${name} isn't running, and \`tributary run\` does not keep it: it was begun for others, or before this one was there. Begin it anew, or \`tributary run ${name}\` beside it.`
      : `The ${kind} ${name} isn't running.`,
  );
}
