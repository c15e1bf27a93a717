import { spawn } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";

/** What one call of the command line came to. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `tributary …` in a process of its own, as a user would.
 * @param environment everything that the process may know.
 */
export function tributary(
  environment: Readonly<Record<string, string>>,
  parameters: readonly string[],
  checkout = repositoryRoot,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkout, "bin/tributary.mjs"), ...parameters], {
      env: environment,
      cwd: checkout,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output.stderr += text;
    });
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, ...output }));
  });
}
