import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { registerSchemas } from "../engine/log/registry.js";
import { generateTypes } from "../engine/log/typescript.js";
import { checkSchemas, commitVersions } from "../engine/log/versions.js";
import { repositoryRoot } from "../engine/service/root.js";
import { runningInstallation } from "./installation.js";
import { print, printJson, printTable } from "./output.js";

export function registerSchemasCommand(command: Command): void {
  command
    .command("check")
    .description(
      "compare every schema with every committed version, both ways (FULL_TRANSITIVE), offline; exit code 2 when one doesn't fit",
    )
    .option("--commit", "add the schemas that changed as their next versions, if they fit")
    .option("--json", "one JSON array of problems")
    .action((options: { commit?: boolean; json?: boolean }) => {
      const committed = options.commit ? commitVersions() : [];
      const problems = checkSchemas();
      if (options.json) printJson(problems);
      else {
        for (const path of committed) print(`committed  ${path}`);
        if (problems.length === 0) print("every schema fits every committed version");
        else printTable(problems.map((problem) => ({ ...problem })));
      }
      if (problems.length > 0) process.exitCode = 2;
    });
  command
    .command("register")
    .description("register every committed version with the registry; a step of deployment, done by `up`")
    .option("--json", "one JSON array")
    .action(async (options: { json?: boolean }) => {
      const { settings } = await runningInstallation();
      const subjects = await registerSchemas(settings);
      if (options.json) printJson(subjects);
      else printTable(subjects.map((subject) => ({ ...subject })));
    });
  command
    .command("types")
    .description("write the TypeScript types beside the schemas")
    .option("--check", "write nothing; exit code 2 when a file differs")
    .action((options: { check?: boolean }) => {
      for (const [path, text] of generateTypes()) {
        const file = join(repositoryRoot, path);
        if (!options.check) writeFileSync(file, text);
        else if (readFileSync(file, "utf8") !== text) {
          print(`differs  ${path}`);
          process.exitCode = 2;
        }
      }
    });
}
