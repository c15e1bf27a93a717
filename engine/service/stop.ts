import { registered } from "./registration.js";

/** How long the processes may take to finish what is in hand. */
const patienceMilliseconds = 25_000;

/**
 * Ends every registered process of an installation: supervisors first, so that nothing is started again, then the rest.
 * SIGTERM, and SIGKILL for what is still there after 25 s.
 * @returns the names of what was stopped.
 */
export async function stopProcesses(home: string): Promise<string[]> {
  const found = registered(home);
  for (const supervisors of [true, false]) {
    const chosen = registered(home).filter(({ kind }) => (kind === "supervisor") === supervisors);
    for (const { pid } of chosen) process.kill(pid, "SIGTERM");
    const pids = new Set(chosen.map(({ pid }) => pid));
    const until = Date.now() + patienceMilliseconds;
    const left = () => registered(home).filter(({ pid }) => pids.has(pid));
    while (left().length > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { pid } of left()) process.kill(pid, "SIGKILL");
  }
  // What a supervisor ended is as good as ended by us.
  return found.map(({ name }) => name);
}
