import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";
import { firstSeed } from "../engine/testing/chaos.js";
import { chaosSpecs, forgetFigures, readFigures, reliabilityDocument, reliabilityPage } from "./reliability.js";
import { conclude, runVitest } from "./vitest-run.js";

/**
 * Entry of `npm run test:chaos`: the specs of the guarantees at full length, then the page about them. A caller who sets
 * TRIBUTARY_CHAOS_REPORT takes the run in parts: what they record stays there, and the last part writes the page.
 */
const wanted = process.argv.slice(2);
const all = chaosSpecs();
const chosen = wanted.length === 0 ? all : all.filter((path) => wanted.some((part) => path.includes(part)));
process.env.TRIBUTARY_CHAOS ??= "full";
const kept = process.env.TRIBUTARY_CHAOS_REPORT;
const folder = kept
  ? join(kept, `${process.env.TRIBUTARY_CHAOS}-${firstSeed()}`)
  : mkdtempSync(join(tmpdir(), "tributary-chaos-"));
mkdirSync(folder, { recursive: true });
forgetFigures(folder, chosen);
process.env.TRIBUTARY_CHAOS_REPORT = folder;

let result = { passed: 0, failed: 1, skipped: 0, status: 1 };
if (chosen.length === 0) process.stdout.write(`No spec of a guarantee has a path with ${wanted.join(" or ")}.\n`);
else {
  result = { ...(await runVitest(chosen)) };
  const figures = readFigures(folder);
  const silent = chosen.filter((path) => !figures.some(({ spec }) => spec === path));
  const violations = figures.reduce((sum, one) => sum + one.violations, 0);
  if (silent.length > 0 || violations > 0) {
    // A guarantee without figures, or with violations that no test failed by, is no guarantee.
    for (const path of silent) process.stdout.write(`${path} recorded nothing.\n`);
    if (violations > 0) process.stdout.write(`${violations} violations were recorded.\n`);
    result.failed += silent.length + (violations > 0 ? 1 : 0);
  }
  const isWhole = all.every((path) => figures.some(({ spec }) => spec === path));
  if (result.failed === 0 && result.status === 0 && isWhole) {
    const length = process.env.TRIBUTARY_CHAOS === "full" ? "long" : "short";
    writeFileSync(join(repositoryRoot, reliabilityPage), reliabilityDocument(figures, firstSeed(), length));
    process.stdout.write(`Wrote ${reliabilityPage}.\n`);
  }
}
// A part that failed is to be run again as a whole: what half of it recorded must not pass for it.
if (kept && (result.failed > 0 || result.status !== 0)) forgetFigures(folder, chosen);
if (!kept) rmSync(folder, { recursive: true, force: true });
process.exit(conclude(result));
