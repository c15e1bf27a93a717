import { conclude, runTool, runVitest } from "./vitest-run.js";

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

let passed = 0;
let failed = 0;
for (const check of checks) {
  const started = Date.now();
  const good = runTool(check.command) === 0;
  if (good) passed += 1;
  else failed += 1;
  process.stdout.write(`${good ? "ok" : "FAILED"}  ${check.name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}

const result = runVitest(process.argv.slice(2));
process.exit(conclude({ ...result, passed: passed + result.passed, failed: failed + result.failed }));
