import { spawnSync } from "node:child_process";
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

/** Runs a tool of `node_modules/.bin` in the checkout, its output shown. @returns its exit code. */
export function runTool(command: readonly string[]): number {
  const [tool = "", ...parameters] = command;
  const path = join(repositoryRoot, "node_modules", ".bin", tool);
  return spawnSync(path, parameters, { cwd: repositoryRoot, stdio: "inherit" }).status ?? 1;
}

/** Runs vitest with its usual output, and counts. @param parameters further ones: files, options. */
export function runVitest(parameters: readonly string[]): TestResult {
  const folder = mkdtempSync(join(tmpdir(), "tributary-report-"));
  const file = join(folder, "report.json");
  const status = runTool([
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...parameters,
  ]);
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
