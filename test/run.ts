import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";

/** What must hold before any test runs: each counts as one test. */
const checks: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: "format and lint", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", command: ["tsc", "-p", "."] },
  {
    name: "laws of the house",
    command: [
      "depcruise",
      "--config",
      ".dependency-cruiser.cjs",
      "--output-type",
      "err",
      "engine",
      "producers",
      "consumers",
      "projections",
      "schemas",
      "cli",
      "stack",
      "demo",
      "bench",
      "test",
    ],
  },
  { name: "dead code", command: ["knip", "--no-progress"] },
];

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numFailedTestSuites: number;
  readonly success: boolean;
}

const bin = (tool: string) => join(repositoryRoot, "node_modules", ".bin", tool);

function run(command: readonly string[]): number {
  const [tool = "", ...parameters] = command;
  return spawnSync(bin(tool), parameters, { cwd: repositoryRoot, stdio: "inherit" }).status ?? 1;
}

let passed = 0;
let failed = 0;
for (const check of checks) {
  const started = Date.now();
  const good = run(check.command) === 0;
  if (good) passed += 1;
  else failed += 1;
  process.stdout.write(`${good ? "ok" : "FAILED"}  ${check.name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}

const folder = mkdtempSync(join(tmpdir(), "tributary-report-"));
const file = join(folder, "report.json");
const status = run([
  "vitest",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${file}`,
  ...process.argv.slice(2),
]);
let skipped = 0;
try {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  passed += report.numPassedTests;
  // A suite that could not even be loaded, or a failing set-up, has no failed test of its own.
  failed += report.numFailedTests > 0 || status === 0 ? report.numFailedTests : Math.max(1, report.numFailedTestSuites);
  skipped = report.numPendingTests;
} catch {
  failed += 1;
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
process.exit(failed === 0 && status === 0 ? 0 : 1);
