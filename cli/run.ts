import type { Command } from "commander";
import { connectorNames, consumerNames, loadConsumer } from "../engine/service/discover.js";
import { createLogger } from "../engine/service/logger.js";
import { beginVersions, processSpecs } from "../engine/service/prepare.js";
import { type Registration, register, registered } from "../engine/service/registration.js";
import { requireSetting } from "../engine/service/settings.js";
import { startSupervisor } from "../engine/service/supervisor.js";
import { fillVersions } from "../engine/service/version-fills.js";
import { watchVersions } from "../engine/service/version-swaps.js";
import { openPool } from "../engine/store/pool.js";
import { runningInstallation } from "./installation.js";
import { misuse } from "./misuse.js";
import { endWithNpm } from "./parent.js";
import { fillInProcess } from "./version-fill.js";

/** @throws TRIB_CLI_MISUSED naming what isn't there, before anything is prepared. */
function assertProcesses(names: readonly string[]): void {
  const known = ["publisher", ...connectorNames(), ...consumerNames()];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw misuse(`There is no ${unknown.join(", ")}. There are: ${known.join(", ")}.`);
}

/** What is said of processes asked for that run already: they are left to run, and none is started beside them. */
export function runningAlready(names: readonly string[], running: readonly Registration[]): readonly string[] {
  const others = running.filter(({ kind }) => kind === "supervisor").map(({ pid }) => pid);
  const keeper = others.length > 0 ? ` under \`tributary run\` (process ${others.join(", ")})` : "";
  return names.flatMap((name) => {
    const pids = running.filter((one) => one.kind !== "supervisor" && one.name === name).map(({ pid }) => pid);
    if (pids.length === 0) return [];
    return [`${name} runs already as process ${pids.join(", ")}${keeper}: it is started here when that one ends`];
  });
}

export function registerRun(command: Command): void {
  command
    .argument("[name...]", "connectors, consumers or `publisher`; all of them when none is named")
    .addHelpText(
      "after",
      "\nEach process writes to TRIBUTARY_HOME/logs/<name>.log, and what fills a new version of a read model to rebuild-<name>.log. `tributary down` ends them from elsewhere.",
    )
    .action(async (names: string[]) => {
      assertProcesses(names);
      const installation = await runningInstallation();
      const home = installation.settings.TRIBUTARY_HOME;
      const logger = createLogger("run", installation.settings.LOG_LEVEL);
      const consumers = await Promise.all(
        consumerNames()
          .filter((name) => names.length === 0 || names.includes(name))
          .map(loadConsumer),
      );
      await beginVersions(installation, consumers);
      const specs = await processSpecs(installation, names);
      endWithNpm();
      // Before anyone can learn of this process.
      const ended = new Promise<void>((resolve) => {
        process.once("SIGTERM", () => resolve());
        process.once("SIGINT", () => resolve());
      });
      const already = runningAlready(
        specs.map(({ name }) => name),
        registered(home),
      );
      for (const line of already) process.stderr.write(`${line}\n`);
      const unregister = register(home, {
        ...{ name: `run-${process.pid}`, kind: "supervisor" as const, addresses: [], admin: null },
        keeps: specs.map(({ name }) => name),
      });
      const supervisor = startSupervisor({ home, logger });
      for (const spec of specs) supervisor.add(spec);
      const pool = openPool(requireSetting(installation.settings, "DATABASE_URL"), {
        applicationName: "tributary run",
        max: 3,
      });
      const projections = consumers.flatMap(({ project }) => project);
      const fills = fillVersions({ pool, projections, logger, fill: fillInProcess(installation) });
      const versions = watchVersions({ pool, projections, logger });
      await ended;
      await Promise.all([fills.stop(), versions.stop()]);
      await supervisor.stop();
      await pool.end();
      unregister();
      process.exit(0);
    });
}
