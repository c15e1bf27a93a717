import type { Command } from "commander";
import { applyTopics, checkTopics } from "../engine/log/topics.js";
import { runningInstallation } from "./installation.js";
import { print, printJson, printTable } from "./output.js";

export function registerTopics(command: Command): void {
  command
    .command("apply")
    .description("make the topics that are missing; partitions are fixed at birth")
    .action(async () => {
      const { settings } = await runningInstallation();
      await applyTopics(settings);
      print("topics are there");
    });
  command
    .command("check")
    .description("compare the topics with what they must be; exit code 2 when one differs")
    .option("--json", "one JSON array of differences")
    .action(async (options: { json?: boolean }) => {
      const { settings } = await runningInstallation();
      const differences = await checkTopics(settings);
      if (options.json) printJson(differences);
      else if (differences.length === 0) print("every topic is as it must be");
      else printTable(differences.map((difference) => ({ ...difference })));
      if (differences.length > 0) process.exitCode = 2;
    });
}
