import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { acceptPartitions, addedPartitions } from "../engine/intake/topic-partitions.js";
import { connectCodec } from "../engine/log/registry.js";
import { applyTopics, checkTopics } from "../engine/log/topics.js";
import { type AccessOptions, actorOf } from "./audit-options.js";
import { runningInstallation } from "./installation.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { nameGiven, textGiven } from "./texts.js";

export function registerTopics(command: Command): void {
  command
    .command("apply")
    .description("make the topics that are missing; partitions are fixed at birth")
    .action(async () => {
      const { settings } = await runningInstallation();
      await applyTopics(settings);
      print("topics are there");
    });
  const accepting = command
    .command("accept")
    .description(
      "go on with topics that were given more partitions: keys stay in those they are in, and the others stay empty; refused when anything was written there. Needs a reason, and is recorded",
    );
  accepting
    .requiredOption("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who decides, for the record; default the user of the system", nameGiven)
    .option("--json", "one JSON array of the topics")
    .action((options: AccessOptions) =>
      withLog(async ({ log, pool, settings }) => {
        const added = await addedPartitions(log, pool);
        for (const one of added) {
          const subject = { kind: "topic", id: one.topic };
          const access = { action: "REPLAY", command: "topics accept", subject, patients: [] } as const;
          const { reason, by } = options;
          await recordAccess(log, await connectCodec(settings), { ...access, reason, actor: actorOf(by) });
          await acceptPartitions(log, pool, one);
        }
        if (options.json) printJson(added);
        else if (added.length === 0) print("every topic has the partitions that it had");
        else printTable(added.map(({ topic, keyed, count }) => ({ topic, partitions: count, used: keyed })));
      }),
    );
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
