import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { codecOfOthers } from "../engine/log/codec-of-others.js";
import { connectCodec } from "../engine/log/registry.js";
import { auditDecisions } from "../engine/projector/audit-decisions.js";
import { awaitProjections } from "../engine/projector/await.js";
import { type Build, listBuilds } from "../engine/projector/build.js";
import { Decisions } from "../engine/projector/decisions.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import type { Decoder } from "../engine/projector/ports.js";
import { openedEventTypes } from "../engine/projector/roles.js";
import type { SettingEvent } from "../engine/projector/setting-events.js";
import { buildStatuses } from "../engine/projector/status.js";
import { type RowDifference, verifyProjection } from "../engine/projector/verify.js";
import { decoderOf } from "../engine/service/decoder.js";
import { allProjections, projectionNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { kekSettings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { actorOf } from "./audit-options.js";
import { secondsOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { withProgress } from "./progress-line.js";
import { registerProjectionBuilds } from "./projection-builds.js";
import { registerProjectionQuery } from "./projection-query.js";
import { nameGiven, textGiven } from "./texts.js";
import { watchedLog } from "./watched-log.js";

/**
 * The build that the definition here is about: the current one, or while a new version is on its way the newest of it.
 * @throws TRIB_CLI_NOT_FOUND when there is none.
 */
async function verifiedBuild(pool: Pool, { name, version }: AnyProjection): Promise<Build> {
  const builds = await listBuilds(pool, name);
  const ofVersion = builds.filter((build) => build.version === version && build.feed !== "nobody" && build.indexed);
  const found = ofVersion.find(({ state }) => state === "current") ?? ofVersion.at(-1);
  if (found) return found;
  const current = builds.find(({ state }) => state === "current");
  throw new TributaryError(
    "TRIB_CLI_NOT_FOUND",
    current
      ? `Build ${current.build} of ${name} is of version ${current.version}, and this checkout has version ${version}: verify it from a checkout of its version.`
      : `Projection ${name} has no build.`,
  );
}

const place = (event: SettingEvent | null | undefined) =>
  event ? `${event.type ?? "-"} ${event.topic}/${event.partition}/${event.offset} ${event.id ?? "-"}` : "-";

/** One line a column that differs; of a row that is missing or too many one. */
function differenceLines({ table, key, what, columns, event, setBy }: RowDifference) {
  if (columns.length === 0) return [{ table, key, what, column: "", "should be set by": place(event) }];
  return columns.map((column) => ({ table, key, what, column, "should be set by": place(setBy[column]) }));
}

export function registerProjections(command: Command): void {
  registerProjectionBuilds(command);
  registerProjectionQuery(command);
  command
    .command("list")
    .description("every build: schema, state, lag, parked keys")
    .option("--json", "one JSON array")
    .action((options: { json?: boolean }) =>
      withLog(async ({ log, pool }) => {
        const builds = await buildStatuses(pool, log, Date.now(), await allProjections());
        if (options.json) printJson(builds);
        else printTable(builds.map((build) => ({ ...build, lagSeconds: build.lagSeconds.toFixed(1) })));
      }),
    );
  command
    .command("await")
    .description("return when every current build has applied all that was accepted before the call")
    .option("--timeout <seconds>", "give up after this time, exit code 1", secondsOf, 60)
    .option("--json", "one JSON object")
    .action((options: { timeout: number; json?: boolean }) =>
      withLog(async ({ log, pool }) => {
        const projections = await allProjections();
        const awaited = await awaitProjections({ log, pool, projections, timeout: options.timeout * 1000 });
        if (options.json) printJson(awaited);
        else
          print(
            `applied${awaited.parkedKeys > 0 ? `; ${awaited.parkedKeys} keys are parked (tributary parked list)` : ""}`,
          );
      }),
    );
  command
    .command("verify")
    .argument("<name>", "projection")
    .description(
      "recompute the current build (of a version that is on its way, its newest) from the whole log and compare every row; names the events that should have set what differs; recorded as an access; exit code 2 when one does",
    )
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who does it; default the user of the system", nameGiven)
    .option("--json", "one JSON object")
    .action(async (name: string, options: { reason?: string; by?: string; json?: boolean }) => {
      const { projection } = await projectionNamed(name);
      await withLog(async ({ log, pool, settings }) => {
        const build = await verifiedBuild(pool, projection);
        const codec = await connectCodec(settings);
        await recordAccess(log, codec, {
          action: "REPLAY",
          command: "projections verify",
          subject: { kind: "projection", id: name },
          patients: [],
          bulk: { projection: name, opened: openedEventTypes({ name, project: [projection] }).length > 0 },
          reason: options.reason,
          actor: actorOf(options.by),
        });
        const opener = sealedOpener(pool, kekSettings(settings), codec);
        const decisions = new Decisions(auditDecisions(log, codec), name);
        await decisions.load();
        try {
          const decoder = projection.topic === undefined ? decoderOf(codec) : (codecOfOthers(settings) as Decoder);
          const verification = await withProgress(!options.json, "records", ({ tell }) =>
            verifyProjection({ projection, build, log: watchedLog(log, tell), pool, decoder, opener, decisions }),
          );
          if (options.json) printJson({ build: build.build, version: build.version, ...verification });
          else {
            if (build.state !== "current")
              print(`build ${build.build} of version ${build.version}, which is not current yet`);
            print(
              `${verification.events} events folded, ${verification.rows} rows compared, ${verification.differing} differ`,
            );
            if (verification.differences.length > 0) printTable(verification.differences.flatMap(differenceLines));
            if (verification.skipped.length > 0)
              print(`not compared, as they are behind their tables: ${verification.skipped.join(", ")}`);
          }
          if (verification.differing > 0) process.exitCode = 2;
        } finally {
          opener.close();
        }
      });
    });
}
