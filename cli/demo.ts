import { join } from "node:path";
import type { Command } from "commander";
import type { Difference } from "../demo/check.js";
import type { PlayResult } from "../demo/deliver.js";
import { intakeCounts } from "../engine/intake/journal.js";
import { awaitProjections } from "../engine/projector/await.js";
import { allProjections } from "../engine/service/discover.js";
import { withEverything } from "./demo/everything.js";
import { examine } from "./demo/examination.js";
import { DemoHistory } from "./demo/history.js";
import { play } from "./demo/play.js";
import { printSummary } from "./demo/summary.js";
import { compareCounts, compareRegions, unitsCounted } from "./demo/truth.js";
import { countOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printTable } from "./output.js";
import { ownCommand } from "./own-process.js";

interface DemoOptions {
  readonly once?: boolean;
  readonly audit?: boolean;
  readonly seed: string;
  readonly patients: number;
  readonly days: number;
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const shownDifferences = 20;

export function registerDemo(command: Command): void {
  command
    .option("--once", "end when it is done: exit code 0 when everything was right, 2 when not")
    .option("--seed <text>", "seed of the region", "demo")
    .option("--patients <n>", "people who live there", countOf, 2_000)
    .option("--days <n>", "days over which their matters begin", countOf, 1)
    .option(
      "--audit",
      "play instead an examiner's question: why a claim was paid on a day although it was later reversed",
    )
    .action((options: DemoOptions) => (options.audit ? demoAudit() : demo(options)));
}

async function demo(options: DemoOptions): Promise<void> {
  const began = performance.now();
  await withEverything(async ({ home, interrupted }) => {
    // Whatever is under way when Ctrl-C comes ends with this process; the next demo plays the rest.
    const right = await Promise.race([playAndCompare(home, options), interrupted.then(() => undefined)]);
    print();
    if (right === undefined) print("Interrupted. The next demo plays this region to its end.");
    else
      print(`${right ? "Everything is as it must be" : "NOT everything is as it must be"} (${seconds(began)} in all).`);
    if (!right) process.exitCode = right === undefined ? 130 : 2;
    if (right !== undefined && !options.once) {
      print("Everything stays up until Ctrl-C. `npx tributary status` shows what runs.");
      await interrupted;
    }
  });
}

/** The scenario of docs/audit.md. */
async function demoAudit(): Promise<void> {
  // A package waits for the notary's signature.
  process.env.NOTARY_SECONDS ??= "1";
  await withEverything(async ({ home, interrupted }) => {
    const call = (...parameters: string[]) => ownCommand(parameters);
    const run = Math.floor(Date.now() / 1000);
    const examined = examine({ call, print, run, folder: join(home, "examination") });
    const found = await Promise.race([examined, interrupted.then(() => undefined)]);
    if (found === undefined) process.exitCode = 130;
  });
}

/** Plays the region, waits for the read models, prints them, and says whether all is right. */
function playAndCompare(home: string, options: DemoOptions): Promise<boolean> {
  return withLog(async ({ log, pool, database }) => {
    const history = new DemoHistory(home);
    const { region, again } = history.begin({
      seed: options.seed,
      patients: options.patients,
      days: options.days,
    });
    for (const interrupted of history.unfinished(region)) {
      print(`resumed   the region of ${interrupted.options.patients} people whose playing was interrupted`);
      await play(interrupted, home);
      await awaitProjections({ log, pool, projections: await allProjections(), timeout: 120_000 });
      history.finish(interrupted);
    }
    if (again) print("again     this region was sent before: every unit is a resend, and no row may change");
    const before = await intakeCounts(pool);
    const started = performance.now();
    const result = await play(region, home);
    print(`sent      ${result.units} units in ${seconds(started)}`);
    if (!again)
      print(`counted   ${unitsCounted(region)} by the intake, to which each claim of a refused interchange is a unit`);
    await awaitProjections({ log, pool, projections: await allProjections(), timeout: 120_000 });
    print(`applied   ${seconds(started)} after the first was sent`);
    history.finish(region);
    const after = await intakeCounts(pool);
    print();
    await printSummary(pool, after, database.psql);

    const problems = [
      ...answersThatSurprise(result, again),
      ...(again ? [] : compareCounts(region, before, after, result.retries)),
    ];
    const { differences, ofOthers } = await compareRegions(
      history.regions(),
      async (sql) => (await pool.query<Record<string, unknown>>(sql)).rows,
    );
    print();
    print(
      `compared  with the region's own truth: ${differences.length} rows differ, ${problems.length} answers or counts differ`,
    );
    for (const problem of problems.slice(0, shownDifferences)) print(`  ${problem}`);
    if (differences.length > 0)
      printTable(differences.slice(0, shownDifferences).map(({ partners: _told, ...difference }) => difference));
    if (ofOthers.length > 0) print(`beside    ${besides(ofOthers)}: nothing that the region has a truth of`);
    return differences.length === 0 && problems.length === 0;
  });
}

/** Rows that only others than the region's senders told of, by read model. */
function besides(rows: readonly Difference[]): string {
  const partners = [...new Set(rows.flatMap(({ partners }) => partners ?? []))].sort();
  const tables = [...new Set(rows.map(({ table }) => table))];
  const counts = tables.map((name) => `${rows.filter(({ table }) => table === name).length} in ${name}`);
  return `${rows.length} rows of ${partners.join(", ")} (${counts.join(", ")})`;
}

/** Answers other than the ones the region expects. What was sent before is answered as a duplicate, in X12. */
function answersThatSurprise({ surprises }: PlayResult, again: boolean): string[] {
  return surprises
    .filter(({ received }) => !(again && received.startsWith("TA1:R:025")))
    .map(({ sender, index, expected, received }) => `${sender} delivery ${index}: ${received} instead of ${expected}`);
}
