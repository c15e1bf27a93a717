import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { connectCodec } from "../engine/log/registry.js";
import { type Build, listBuilds } from "../engine/projector/build.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import { dropBuild, swapBuild } from "../engine/projector/swap.js";
import { claimBuild } from "../engine/replay/claim.js";
import { fillThread } from "../engine/replay/fill-thread.js";
import { rebuildProjection } from "../engine/replay/rebuild.js";
import { projectionNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { rebuildFlags } from "../engine/service/node-flags.js";
import { builtRoot } from "../engine/service/root.js";
import type { Pool } from "../engine/store/pool.js";
import { actorOf } from "./audit-options.js";
import { withBuildSource } from "./build-source.js";
import { confirm } from "./confirm.js";
import { countOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { ranWithFlags } from "./own-process.js";
import { RebuildReport } from "./rebuild-report.js";
import { nameGiven, textGiven } from "./texts.js";

const notFound = (what: string) => new TributaryError("TRIB_CLI_NOT_FOUND", what);

interface RebuildOptions {
  readonly swap: boolean;
  readonly rate?: number;
  readonly connections: number;
  readonly threads: number;
  readonly reason?: string;
  readonly by?: string;
  readonly json?: boolean;
}

/** Threads beside this one, each with a connection at least. */
const helpers = (name: string, { threads, connections }: RebuildOptions) =>
  Array.from({ length: Math.min(threads, connections) - 1 }, () =>
    fillThread(pathToFileURL(join(builtRoot, "cli/fill-thread.js")), name),
  );

async function rebuild(name: string, options: RebuildOptions): Promise<void> {
  await projectionNamed(name);
  if (await ranWithFlags(rebuildFlags)) return;
  const report = new RebuildReport(options.json !== true);
  await withBuildSource(name, options, async ({ source, log, codec }) => {
    await recordAccess(log, codec, {
      action: "REPLAY",
      command: "projections rebuild",
      subject: { kind: "projection", id: name },
      patients: [],
      bulk: { projection: name, opened: source.opens },
      reason: options.reason,
      actor: actorOf(options.by),
    });
    const rebuilt = await rebuildProjection({
      ...source,
      log,
      swap: options.swap,
      helpers: helpers(name, options),
      progress: (progress) => report.tell(progress),
      ...(options.rate === undefined ? {} : { rate: options.rate }),
    });
    report.end();
    const { build, filledEvents, comparison, swapped } = rebuilt;
    const differences = comparison?.differences ?? [];
    if (options.json) {
      const { build: number, schema } = build;
      printJson({ name, build: number, schema, events: filledEvents, swapped, compared: comparison ?? null });
    } else {
      if (comparison) printTable(Object.entries(comparison.rows).map(([table, rows]) => ({ table, rows })));
      if (differences.length > 0) printTable(differences.map((row) => ({ ...row, rows: row.rows.join(" / ") })));
      if (comparison && comparison.skipped.length > 0)
        print(`not compared, as they never stood at one position: ${comparison.skipped.join(", ")}`);
      const then = swapped ? "is current" : differences.length > 0 ? "differs and was not put in place" : "is ready";
      print(`build ${build.build} of ${name} ${then}`);
      if (swapped) print(`the one before is fed on, for a rollback, until \`tributary projections drop ${name}\``);
    }
    if (differences.length > 0) process.exitCode = 2;
  });
}

/** The build asked for, else the last one in the state, of this checkout's version if there is any. */
async function chosen(
  pool: Pool,
  { name, version }: Pick<AnyProjection, "name" | "version">,
  number: number | undefined,
  state: Build["state"],
): Promise<Build> {
  const builds = await listBuilds(pool, name);
  const inState = builds.filter((one) => one.state === state);
  const known = inState.filter((one) => one.version === version);
  const found =
    number === undefined ? (known.length > 0 ? known : inState) : builds.filter((one) => one.build === number);
  const build = state === "previous" ? lastCurrent(found) : found.at(-1);
  if (!build) throw notFound(`Projection ${name} has no build ${number ?? `that is ${state}`}.`);
  return build;
}

const lastCurrent = (builds: readonly Build[]): Build | undefined =>
  [...builds].sort((left, right) => (left.currentSince ?? 0) - (right.currentSince ?? 0)).at(-1);

/** Only processes of a build's own version feed it, and only they know its views. */
const otherVersion = ({ build, projection, version }: Build, here: number): string =>
  `Build ${build} of ${projection} is of version ${version}, and this checkout has version ${here}. Nothing was changed. To put version ${version} in place: start its processes from a checkout of it (tributary run), wait until \`tributary projections list\` shows no lag for build ${build}, and call \`tributary projections ${here > version ? "rollback" : "swap"} ${projection}\` there. It stays until somebody swaps again.`;

interface BuildOptions {
  readonly build?: number;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly by?: string;
}

/** What is told of who changes what analysts see. */
const changeOf = (name: string, command: string, { reason, by }: BuildOptions) => ({
  command: `projections ${command}`,
  subject: { kind: "projection", id: name },
  patients: [],
  reason,
  actor: actorOf(by),
});

async function putInPlace(name: string, command: "swap" | "rollback", options: BuildOptions): Promise<void> {
  const { projection } = await projectionNamed(name);
  await withLog(async ({ log, pool, settings }) => {
    const build = await chosen(pool, projection, options.build, command === "swap" ? "building" : "previous");
    if (build.version !== projection.version) throw notFound(otherVersion(build, projection.version));
    const change = changeOf(name, command, options);
    await recordAccess(log, await connectCodec(settings), { action: "REPLAY", ...change });
    await swapBuild(pool, projection, build.build);
    print(`build ${build.build} of ${name} is current`);
  });
}

/** What isn't there to be dropped, and what is. */
function nothingToDrop(name: string, build: number | undefined, all: readonly Build[]): string {
  const others = all.filter(({ state }) => state !== "current").map((one) => `${one.build} (${one.state})`);
  const hint =
    others.length === 0
      ? "It has none beside the current one."
      : `There are, beside the current one: ${others.join(", ")}. \`--build N\` names one.`;
  return `Projection ${name} has no build ${build ?? "that was current before"}. ${hint}`;
}

async function drop(name: string, options: BuildOptions): Promise<void> {
  await withLog(async ({ log, pool, settings }) => {
    const all = await listBuilds(pool, name);
    // One whose folder is gone may still have builds.
    if (all.length === 0) await projectionNamed(name);
    const builds = all.filter(({ build, state }) =>
      options.build === undefined ? state === "previous" : build === options.build,
    );
    if (builds.length === 0) throw notFound(nothingToDrop(name, options.build, all));
    if (builds.some(({ state }) => state === "current"))
      throw notFound(`Build ${options.build} of ${name} is current: swap or roll back first.`);
    const numbers = builds.map(({ build }) => build).join(", ");
    await confirm(`Build ${numbers} of ${name} will be gone, and with it the way back to it.`, options.yes);
    await recordAccess(log, await connectCodec(settings), { action: "DROP", ...changeOf(name, "drop", options) });
    for (const build of builds) {
      const claim = await claimBuild(pool, build);
      try {
        if (!(await dropBuild(pool, name, build.build)))
          throw notFound(`Build ${build.build} of ${name} is no more to be dropped.`);
      } finally {
        claim.release();
      }
      print(`build ${build.build} of ${name} is dropped`);
    }
  });
}

export function registerProjectionBuilds(command: Command): void {
  command
    .command("rebuild")
    .argument("<name>", "projection")
    .description(
      "make a build anew from the whole log beside the current one, compare the two, and put the views on it; recorded as an access; exit code 2 when they differ. Called again it goes on where it was ended",
    )
    .option("--no-swap", "stop before the views are put on it")
    .option("--rate <n>", "most events a second", countOf)
    .option("--connections <n>", "most connections that write at once", countOf, 2)
    .option(
      "--threads <n>",
      "most partitions that are folded at once, each with its part of REBUILD_MEMORY_MB and of the connections; default half of the processors",
      countOf,
      Math.max(1, Math.floor(availableParallelism() / 2)),
    )
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who does it; default the user of the system", nameGiven)
    .option("--json", "one JSON object in the end")
    .action(rebuild);
  command
    .command("swap")
    .argument("<name>", "projection")
    .description(
      "put the views on the build that was made last, in one transaction; the one before is fed on; recorded as an access",
    )
    .option("--build <n>", "another build", countOf)
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who does it; default the user of the system", nameGiven)
    .action((name: string, options: BuildOptions) => putInPlace(name, "swap", options));
  command
    .command("rollback")
    .argument("<name>", "projection")
    .description("put the views back on the build that was current before, which is as fresh; recorded as an access")
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who does it; default the user of the system", nameGiven)
    .action((name: string, options: BuildOptions) => putInPlace(name, "rollback", options));
  command
    .command("drop")
    .argument("<name>", "projection")
    .description("drop the builds that were current before: there is no way back to them; recorded as an access")
    .option("--build <n>", "another build that is not current", countOf)
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who does it; default the user of the system", nameGiven)
    .option("--yes", "don't ask")
    .action(drop);
}
