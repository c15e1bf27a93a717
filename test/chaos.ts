import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";
import { firstSeed } from "../engine/testing/chaos.js";
import { chaosSpecs, readFigures, reliabilityDocument, reliabilityPage } from "./reliability.js";
import { conclude, runVitest } from "./vitest-run.js";

/** Entry of `npm run test:chaos`: the specs of the guarantees at full length, then the page about them. */
const wanted = process.argv.slice(2);
const all = chaosSpecs();
const chosen = wanted.length === 0 ? all : all.filter((path) => wanted.some((part) => path.includes(part)));
const folder = mkdtempSync(join(tmpdir(), "tributary-chaos-"));
process.env.TRIBUTARY_CHAOS ??= "full";
process.env.TRIBUTARY_CHAOS_REPORT = folder;

let result = { passed: 0, failed: 1, skipped: 0, status: 1 };
if (chosen.length === 0) process.stdout.write(`No spec of a guarantee has a path with ${wanted.join(" or ")}.\n`);
else {
  result = { ...runVitest(chosen) };
  const figures = readFigures(folder);
  const silent = chosen.filter((path) => !figures.some(({ spec }) => spec === path));
  const violations = figures.reduce((sum, one) => sum + one.violations, 0);
  if (silent.length > 0 || violations > 0) {
    // A guarantee without figures, or with violations that no test failed by, is no guarantee.
    for (const path of silent) process.stdout.write(`${path} recorded nothing.\n`);
    if (violations > 0) process.stdout.write(`${violations} violations were recorded.\n`);
    result.failed += silent.length + (violations > 0 ? 1 : 0);
  }
  if (result.failed === 0 && result.status === 0 && chosen.length === all.length) {
    const length = process.env.TRIBUTARY_CHAOS === "full" ? "long" : "short";
    writeFileSync(join(repositoryRoot, reliabilityPage), reliabilityDocument(figures, firstSeed(), length));
    process.stdout.write(`Wrote ${reliabilityPage}.\n`);
  }
}
rmSync(folder, { recursive: true, force: true });
process.exit(conclude(result));
