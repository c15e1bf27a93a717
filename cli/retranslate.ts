import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { alone } from "../engine/intake/one-retranslation.js";
import { type Retranslated, retranslate } from "../engine/intake/retranslate.js";
import { readJournalId } from "../engine/log/genesis.js";
import { connectCodec } from "../engine/log/registry.js";
import { awaitProjections } from "../engine/projector/await.js";
import { allProjections, loadConnector } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { kekSettings, requireSetting } from "../engine/service/settings.js";
import { openTranslator } from "../engine/service/translator.js";
import { openVault } from "../engine/vault/vault.js";
import { actorOf } from "./audit-options.js";
import { confirm } from "./confirm.js";
import { instantOf, secondsOf } from "./instant.js";
import { withLog } from "./log.js";
import { misuse } from "./misuse.js";
import { print, printJson, printTable } from "./output.js";
import { nameGiven, textGiven } from "./texts.js";

interface RetranslateCommand {
  readonly reason: string;
  readonly partner?: string;
  readonly connector?: string;
  readonly code?: string;
  readonly since?: number;
  readonly until?: number;
  readonly dryRun?: boolean;
  readonly by?: string;
  readonly timeout: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

function show({ byType, ...counts }: Retranslated): void {
  printTable([{ ...counts }]);
  print();
  printTable(Object.entries(byType).map(([type, changes]) => ({ type, ...changes })));
}

export function registerRetranslate(command: Command): void {
  command
    .command("retranslate")
    .description("translate units of the journal again, as connectors and profiles are now, and tell what differs")
    .requiredOption("--reason <text>", "why, for the audit and the journal; no name in it", textGiven)
    .option("--partner <name>", "units of one partner")
    .option("--connector <name>", "units of one connector")
    .option("--code <code>", "units that were rejected with this code, instead of the accepted ones")
    .option("--since <time>", "received at or after", instantOf)
    .option("--until <time>", "received before", instantOf)
    .option("--dry-run", "only show what would differ, by event type")
    .option("--by <name>", "who decides, for the audit; default the name you are logged in with", nameGiven)
    .option("--timeout <seconds>", "give up waiting for the read models after this time", secondsOf, 600)
    .option("--yes", "don't ask")
    .option("--json", "one JSON object")
    .addHelpText(
      "after",
      "\nNothing that was written changes: what differs is told anew, in the place of what it supersedes. Interrupted, the same command goes on where it stopped. Start with --dry-run.",
    )
    .action(async (options: RetranslateCommand) => {
      const { reason, partner, connector, code, since, until, dryRun = false } = options;
      if (connector !== undefined) await loadConnector(connector);
      if (since !== undefined && until !== undefined && since >= until) throw misuse("--until comes after --since.");
      await withLog(async ({ log, pool, settings }) => {
        if (!dryRun)
          await confirm("What differs is told to every read model. See it first with --dry-run.", options.yes);
        const codec = await connectCodec(settings);
        const vault = openVault({ pool, kek: kekSettings(settings) });
        const translators = new Map<string, ReturnType<typeof openTranslator>>();
        const translator = (name: string) => {
          const opened = translators.get(name) ?? openTranslator(name, settings);
          translators.set(name, opened);
          return opened;
        };
        const access = {
          action: dryRun ? ("OPEN" as const) : ("REPLAY" as const),
          command: "intake retranslate",
          subject: { kind: "unit", id: "journal" },
          patients: [],
          bulk: { from: since, until, opened: true },
          reason,
          actor: actorOf(options.by),
        };
        try {
          await recordAccess(log, codec, access);
          const done = await alone(pool, async () =>
            retranslate({
              log,
              pool,
              codec,
              vault,
              journal: await readJournalId(log),
              secret: requireSetting(settings, "TRIBUTARY_SECRET"),
              translator,
              filter: { partner, connector, code, since, until },
              reason,
              dryRun,
              clockSkew: settings.CLOCK_SKEW_SECONDS * 1000,
            }),
          );
          if (!dryRun) {
            await recordAccess(log, codec, { ...access, units: done.changed });
            if (done.changed > 0) {
              const projections = await allProjections();
              await awaitProjections({ log, pool, projections, timeout: options.timeout * 1000 });
            }
          }
          if (options.json) printJson(done);
          else show(done);
          if (done.units === 0 && !options.json) {
            print("No unit of the journal is of that partner, connector, code and time: is each name right?");
          }
          if (done.unmatched > 0) {
            throw new TributaryError("TRIB_INTAKE_RETRANSLATION_UNMATCHED", undefined, { units: done.unmatched });
          }
        } finally {
          // One that could not be opened is the error that is told already.
          await Promise.allSettled([...translators.values()].map(async (opened) => (await opened).close()));
          vault.close();
        }
      });
    });
}
