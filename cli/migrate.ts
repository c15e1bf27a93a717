import type { Command } from "commander";
import { requireSetting } from "../engine/service/settings.js";
import { migratePrint, migrateStatus, migrateUp } from "../engine/store/migrate.js";
import { runningInstallation } from "./installation.js";
import { print, printJson, printTable } from "./output.js";

export function registerMigrate(command: Command): void {
  const databaseUrl = async () => requireSetting((await runningInstallation()).settings, "DATABASE_URL");
  command
    .command("up")
    .description("apply what is missing; any number of installers at once")
    .option("--json", "one JSON array of the migrations applied")
    .action(async (options: { json?: boolean }) => {
      const applied = await migrateUp(await databaseUrl());
      if (options.json) printJson(applied);
      else print(applied.length === 0 ? "nothing to apply" : applied.map((name) => `applied  ${name}`).join("\n"));
    });
  command
    .command("status")
    .description("which migrations are applied; exit code 2 when one is missing")
    .option("--json", "one JSON array")
    .action(async (options: { json?: boolean }) => {
      const status = await migrateStatus(await databaseUrl());
      if (options.json) printJson(status);
      else printTable(status.map((entry) => ({ ...entry })));
      if (status.some(({ applied }) => !applied)) process.exitCode = 2;
    });
  command
    .command("print")
    .description("every migration as SQL, for who must review or run it by hand")
    .action(async () => print(await migratePrint()));
}
