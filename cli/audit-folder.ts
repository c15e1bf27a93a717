import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { SecondPlace } from "../engine/audit/second-place.js";
import { connectCodec } from "../engine/log/registry.js";
import { readJournalId } from "../engine/log/topics.js";
import { notaryFolder } from "../engine/service/notary-process.js";
import { type AccessOptions, actorOf, withAccessOptions } from "./audit-options.js";
import { withLog } from "./log.js";
import { misuse } from "./misuse.js";
import { print, printJson } from "./output.js";

interface FolderOptions extends AccessOptions {
  readonly begin?: boolean;
}

export function registerAuditFolder(command: Command): void {
  const folder = command
    .command("folder")
    .description(
      "whether NOTARY_FOLDER, seen from here, is the second place of this installation; exit code 1 when it isn't",
    )
    .option(
      "--begin",
      "make it so although heads were signed and none is here: the notary exports them again, as the database has them; needs a reason and is recorded",
    );
  withAccessOptions(folder, { json: "one JSON object" }).action(async (options: FolderOptions) => {
    if (options.begin && !options.reason) throw misuse("--begin is recorded with its reason: give --reason.");
    await withLog(async ({ log, settings }) => {
      const installation = await readJournalId(log);
      const second = new SecondPlace(notaryFolder(settings));
      if (options.begin) {
        const access = { action: "EXPORT", subject: { kind: "second place", id: installation }, patients: [] } as const;
        const { reason, by } = options;
        const recorded = { ...access, command: "audit folder --begin", reason, actor: actorOf(by) };
        await recordAccess(log, await connectCodec(settings), recorded);
        await second.begin(installation);
      }
      const isSecondPlace = await second.isOf(installation);
      if (!isSecondPlace) process.exitCode = 1;
      const shown = { folder: second.folder, installation, isSecondPlace };
      if (options.json) printJson(shown);
      else {
        print(`folder        ${shown.folder}`);
        print(`installation  ${installation}`);
        print(isSecondPlace ? "It is the second place of this installation." : "It has nothing of this installation.");
      }
    });
  });
}
