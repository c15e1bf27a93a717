import { type Command, InvalidArgumentError } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { connectCodec } from "../engine/log/registry.js";
import { auditDecisions } from "../engine/projector/audit-decisions.js";
import { awaitProjections } from "../engine/projector/await.js";
import { currentBuild } from "../engine/projector/build.js";
import { Decisions } from "../engine/projector/decisions.js";
import { openedEventTypes } from "../engine/projector/roles.js";
import { buildStatuses } from "../engine/projector/status.js";
import { verifyProjection } from "../engine/projector/verify.js";
import { decoderOf } from "../engine/service/consumer-process.js";
import { allProjections } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { kekSettings } from "../engine/service/settings.js";
import { actorOf } from "./audit-options.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { registerProjectionBuilds } from "./projection-builds.js";
import { registerProjectionQuery } from "./projection-query.js";

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("seconds above zero are needed.");
  return value;
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
    .option("--timeout <seconds>", "give up after this time, exit code 1", seconds, 60)
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
      "recompute the current build from the whole log and compare every row; recorded as an access; exit code 2 when one differs",
    )
    .option("--reason <text>", "why, for the record")
    .option("--by <name>", "who does it; default the user of the system")
    .option("--json", "one JSON object")
    .action((name: string, options: { reason?: string; by?: string; json?: boolean }) =>
      withLog(async ({ log, pool, settings }) => {
        const projection = (await allProjections()).find((one) => one.name === name);
        const build = await currentBuild(pool, name);
        if (!projection || !build)
          throw new TributaryError("TRIB_CLI_NOT_FOUND", `There is no projection ${name} with a current build.`);
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
          const verification = await verifyProjection({
            projection,
            build,
            log,
            pool,
            decoder: decoderOf(codec),
            opener,
            decisions,
          });
          if (options.json) printJson(verification);
          else {
            print(
              `${verification.events} events folded, ${verification.rows} rows compared, ${verification.differing} differ`,
            );
            if (verification.skipped.length > 0)
              print(`not compared, as they moved meanwhile: ${verification.skipped.join(", ")}`);
            if (verification.differences.length > 0)
              printTable(verification.differences.map((row) => ({ ...row, columns: row.columns.join(", ") })));
          }
          if (verification.differing > 0) process.exitCode = 2;
        } finally {
          opener.close();
        }
      }),
    );
}
