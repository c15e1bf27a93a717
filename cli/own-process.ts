import { spawn } from "node:child_process";

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
