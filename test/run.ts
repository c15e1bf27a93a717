import { conclude, runTool, runVitest } from "./vitest-run.js";

/** What must hold beside the tests: each counts as one. */
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
/** One after the other, while the services of the tests start: what each printed is shown when it has ended. */
async function runChecks(): Promise<void> {
  for (const check of checks) {
    const started = Date.now();
    const { status, output } = await runTool(check.command, "kept");
    if (status === 0) passed += 1;
    else failed += 1;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${output}${status === 0 ? "ok" : "FAILED"}  ${check.name} (${seconds} s)\n`);
  }
}

const [result] = await Promise.all([runVitest(process.argv.slice(2)), runChecks()]);
process.exit(conclude({ ...result, passed: passed + result.passed, failed: failed + result.failed }));
