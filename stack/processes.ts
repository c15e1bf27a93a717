import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { runQuietly } from "./commands.js";

/**
 * The command line of a running process; undefined when there is none, or when it has ended and is only waiting to be
 * collected by its parent.
 */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    for (let attempt = 0; ; attempt += 1) {
      const line = readOrNothing(`/proc/${pid}/cmdline`);
      if (line !== "") return line?.replaceAll("\0", " ");
      // Empty for good when the process has ended or belongs to the kernel; for an instant while a shell becomes the
      // program that it was told to start.
      const state = readOrNothing(`/proc/${pid}/stat`)?.split(") ").at(-1)?.[0];
      if (state === undefined || state === "Z" || state === "X" || attempt === 50) return undefined;
      await pause(5);
    }
  }
  const answer = await runQuietly("ps", ["-ww", "-o", "stat=,args=", "-p", String(pid)]);
  const line = answer.output.trim();
  return answer.exitCode !== 0 || line === "" || line.startsWith("Z") ? undefined : line;
}

/**
 * Sends a signal; false when the process is gone already. A process of another user (EPERM) is an error, since a
 * caller has identified the process as its own before.
 */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
