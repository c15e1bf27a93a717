import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { builtRoot } from "../engine/service/root.js";

/**
 * Runs the command that this process was called with again in one that has these flags of Node, where this one hasn't.
 * @returns false when this one has them: it is to do the work itself. After the other one `process.exitCode` is as it left.
 */
export async function ranWithFlags(flags: readonly string[]): Promise<boolean> {
  if (flags.every((flag) => process.execArgv.includes(flag))) return false;
  const parameters = [...process.execArgv, ...flags, ...process.argv.slice(1)];
  const child = spawn(process.execPath, parameters, { stdio: "inherit" });
  // A terminal sends its signals to both; others are passed on. The other process says when it has ended.
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  const stay = () => {};
  process.on("SIGTERM", pass);
  process.on("SIGINT", stay);
  try {
    process.exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve(exitCode ?? 70));
    });
  } finally {
    process.off("SIGTERM", pass);
    process.off("SIGINT", stay);
  }
  return true;
}

/** Runs `tributary …` in a process of its own, in this one's environment, and gives what it printed. */
export const ownCommand = (
  parameters: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve) => {
    const main = join(builtRoot, "cli/main.js");
    const child = execFile(process.execPath, [main, ...parameters], { maxBuffer: 1e9 }, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode, stdout, stderr }),
    );
  });
