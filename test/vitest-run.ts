import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numFailedTestSuites: number;
}

export interface TestResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Exit code of the last tool. */
  readonly status: number;
}

/** A tool of `node_modules/.bin` that ended: its exit code, and what it printed unless that was shown. */
export interface ToolResult {
  readonly status: number;
  readonly output: string;
}

/** Runs a tool of `node_modules/.bin` in the checkout. @param output whether it is shown at once or kept. */
export function runTool(command: readonly string[], output: "shown" | "kept"): Promise<ToolResult> {
  const [tool = "", ...parameters] = command;
  const child = spawn(join(repositoryRoot, "node_modules", ".bin", tool), parameters, {
    cwd: repositoryRoot,
    stdio: output === "shown" ? "inherit" : ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ status: 1, output: `${error.message}\n` }));
    child.once("close", (status) => resolve({ status: status ?? 1, output: printed }));
  });
}

/** Runs vitest with its usual output, and counts. @param parameters further ones: files, options. */
export async function runVitest(parameters: readonly string[]): Promise<TestResult> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-report-"));
  const file = join(folder, "report.json");
  const words = ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`, ...parameters];
  const { status } = await runTool(words, "shown");
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const { numPassedTests: passed, numFailedTests, numFailedTestSuites, numPendingTests: skipped } = report;
    // A suite that could not even be loaded, or a failing set-up, has no failed test of its own.
    const failed = numFailedTests > 0 || status === 0 ? numFailedTests : Math.max(1, numFailedTestSuites);
    return { passed, failed, skipped, status };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, status };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints the last line of a run. @returns the exit code that goes with it. */
export function conclude({ passed, failed, skipped, status }: TestResult): number {
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  return failed === 0 && status === 0 ? 0 : 1;
}
