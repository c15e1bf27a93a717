import { statSync } from "node:fs";
import type { Command } from "commander";
import { lookupSchemas } from "../engine/log/registry.js";
import { checkTopics, readJournalId } from "../engine/log/topics.js";
import { checkSchemas } from "../engine/log/versions.js";
import { connectorNames, consumerNames, loadConnector } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { profilesOptions, readProfiles } from "../engine/service/profiles.js";
import { requireSetting, type Settings } from "../engine/service/settings.js";
import { processStatuses, progressOf, type Status } from "../engine/service/status.js";
import { migrateStatus } from "../engine/store/migrate.js";
import { withLog } from "./log.js";
import { print, printJson } from "./output.js";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** What is wrong and what to do; empty when nothing is. */
  readonly advice: string;
}

async function finding(check: string, problem: () => Promise<string>): Promise<Finding> {
  try {
    const advice = await problem();
    return { check, ok: advice === "", advice };
  } catch (error) {
    const advice =
      error instanceof TributaryError ? `${error.message} ${error.definition.remedy}` : "It could not be checked.";
    return { check, ok: false, advice };
  }
}

function processProblems(processes: Status["processes"]): string {
  const names = new Set(processes.filter(({ ready }) => ready).map(({ name }) => name));
  const missing = ["publisher", ...connectorNames(), ...consumerNames()].filter((name) => !names.has(name));
  return missing.length === 0
    ? ""
    : `Not running or not ready: ${missing.join(", ")}. Start them with \`tributary run\`; their logs are in TRIBUTARY_HOME/logs.`;
}

/** Profiles that can't be used as their files are now, and partners that a connector left out when it started. */
async function profileProblems(settings: Settings, processes: Status["processes"]): Promise<string> {
  const problems: string[] = [];
  for (const connector of await Promise.all(connectorNames().map(loadConnector))) {
    const { suspended } = readProfiles(connector, profilesOptions(settings));
    problems.push(...new Set(suspended.map(({ error }) => error.message)));
    const left = processes.find(({ kind, name }) => kind === "connector" && name === connector.name)?.suspended;
    const mended = (left ?? []).filter(({ partner }) => !suspended.some((one) => one.partner === partner));
    const names = mended.map(({ partner }) => partner).join(", ");
    if (names)
      problems.push(`${connector.name} runs without ${names}: \`tributary producers restart ${connector.name}\`.`);
  }
  return problems.join("\n         ");
}

/** Keys that read models and deliveries hold back. */
export function parkedProblems({ projections, deliveries }: Pick<Status, "projections" | "deliveries">): string {
  const parked = [...projections, ...deliveries].filter(({ parkedKeys }) => parkedKeys > 0);
  const count = parked.reduce((sum, { parkedKeys }) => sum + parkedKeys, 0);
  const names = [...new Set(parked.map(({ name }) => name))].join(", ");
  return count === 0 ? "" : `${count} keys are held back, of ${names}. See \`tributary parked list\`.`;
}

export function registerDoctor(command: Command): void {
  command.option("--json", "one JSON array").action((options: { json?: boolean }) =>
    withLog(async ({ log, pool, settings }) => {
      const [processes, progress] = await Promise.all([
        processStatuses(settings),
        progressOf(pool, log).catch(() => undefined),
      ]);
      const findings = [
        await finding("secrets are private", async () => {
          const { TRIBUTARY_SECRET_FILE, TRIBUTARY_KEK_FILE, TRIBUTARY_NOTARY_KEY_FILE } = process.env;
          const files = [TRIBUTARY_SECRET_FILE, TRIBUTARY_KEK_FILE, TRIBUTARY_NOTARY_KEY_FILE].filter(
            (file) => file !== undefined,
          );
          const open = files.filter((file) => (statSync(file).mode & 0o077) !== 0);
          return open.length === 0 ? "" : `Others can read ${open.join(", ")}: chmod 600.`;
        }),
        await finding("database schema", async () => {
          const missing = (await migrateStatus(requireSetting(settings, "DATABASE_URL"))).filter(
            ({ applied }) => !applied,
          );
          return missing.length === 0
            ? ""
            : `Not applied: ${missing.map(({ name }) => name).join(", ")}. Run \`tributary migrate up\`.`;
        }),
        await finding("topics", async () => {
          const differences = await checkTopics(settings);
          return differences.length === 0 ? "" : `${differences.length} differences. See \`tributary topics check\`.`;
        }),
        await finding("journal", async () => {
          await readJournalId(log);
          return "";
        }),
        await finding("schemas fit their versions", async () => {
          const problems = checkSchemas();
          return problems.length === 0 ? "" : `${problems.length} problems. See \`tributary schemas check\`.`;
        }),
        await finding("schemas are registered", async () => {
          await lookupSchemas(settings);
          return "";
        }),
        await finding("processes", async () => processProblems(processes)),
        await finding("partner profiles", () => profileProblems(settings, processes)),
        await finding("parked keys", async () => {
          if (!progress) return "Kafka or Postgres can't be reached: `tributary up`.";
          return parkedProblems(progress);
        }),
      ];
      if (options.json) printJson(findings);
      else
        for (const { check, ok, advice } of findings)
          print(`${ok ? "ok    " : "WRONG "} ${check}${advice ? `\n         ${advice}` : ""}`);
      if (findings.some(({ ok }) => !ok)) process.exitCode = 2;
    }),
  );
}
