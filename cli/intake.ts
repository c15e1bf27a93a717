import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { intakeCounts, listEntries } from "../engine/intake/journal.js";
import { connectCodec } from "../engine/log/registry.js";
import { kekSettings, type Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { openVault, type Vault } from "../engine/vault/vault.js";
import { actorOf } from "./audit-options.js";
import { countOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { withPool } from "./pool.js";
import { registerRetranslate } from "./retranslate.js";
import { nameGiven, textGiven } from "./texts.js";

interface ListOptions {
  readonly partner?: string;
  readonly code?: string;
  readonly rejected?: boolean;
  readonly limit?: number;
  readonly sealed?: boolean;
  readonly reason?: string;
  readonly by?: string;
  readonly json?: boolean;
}

/** Who has no key-encryption key may open nothing, and is shown the rest. */
function vaultHere(settings: Settings, pool: Pool): Vault | undefined {
  if (settings.TRIBUTARY_KEK !== undefined) return openVault({ pool, kek: kekSettings(settings) });
  process.stderr.write("without the key-encryption key nothing is opened: neither hash nor control id\n");
  return undefined;
}

export function registerIntake(command: Command): void {
  registerRetranslate(command);
  command
    .command("status")
    .description("units, accepted, rejected with their codes, resends, reused control ids, events")
    .option("--json", "one JSON object")
    .action((options: { json?: boolean }) =>
      withPool(async (pool) => {
        const counts = await intakeCounts(pool);
        if (options.json) {
          printJson(counts);
          return;
        }
        const { byPartner, ...totals } = counts;
        printTable([{ ...totals }]);
        print();
        printTable(byPartner.map((row) => ({ ...row })));
      }),
    );
  command
    .command("list")
    .description(
      "every unit in the journal, with the hash of its exact bytes and its control id where you may open them",
    )
    .option("--partner <name>", "of one partner")
    .option("--code <code>", "rejected with this code")
    .option("--rejected", "only what was rejected")
    .option("--limit <n>", "at most so many", countOf)
    .option("--sealed", "open nothing: neither hash nor control id")
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who asks; default the user of the system", nameGiven)
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLog(async ({ log, pool, settings }) => {
        const codec = await connectCodec(settings);
        const vault = options.sealed ? undefined : vaultHere(settings, pool);
        const filter = {
          ...(options.partner ? { partner: options.partner } : {}),
          ...(options.code ? { code: options.code } : {}),
          ...(options.rejected ? { accepted: false } : {}),
        };
        let left = options.limit ?? Number.POSITIVE_INFINITY;
        if (vault) {
          await recordAccess(log, codec, {
            action: "OPEN",
            command: "intake list",
            subject: { kind: "unit", id: "journal" },
            patients: [],
            bulk: { opened: true },
            reason: options.reason,
            actor: actorOf(options.by),
          });
        }
        try {
          for await (const entry of listEntries({ log, pool, codec, filter, ...(vault ? { vault } : {}) })) {
            if (left-- <= 0) break;
            if (options.json) printJson(entry);
            else {
              const verdict = entry.accepted
                ? "accepted"
                : `REJECTED ${entry.code}${entry.location ? ` at ${entry.location}` : ""}`;
              const resend = entry.resendOf ? `  resend of ${entry.resendOf.partition}/${entry.resendOf.offset}` : "";
              print(
                `${entry.partition}/${entry.offset}  ${entry.partner}  ${entry.format}  ${entry.controlId ?? "-"}  ${verdict}  ${entry.events} events${resend}`,
              );
            }
          }
        } finally {
          vault?.close();
        }
      }),
    );
}
