import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { intakeCounts, type ListedEntry, listEntries } from "../engine/intake/journal.js";
import { connectCodec } from "../engine/log/registry.js";
import { kekSettings, type Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { openVault, type Vault } from "../engine/vault/vault.js";
import { actorOf } from "./audit-options.js";
import { countOf, instantOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { withPool } from "./pool.js";
import { registerRetranslate } from "./retranslate.js";
import { nameGiven, textGiven } from "./texts.js";

interface ListOptions {
  readonly partner?: string;
  readonly connector?: string;
  readonly code?: string;
  readonly rejected?: boolean;
  readonly since?: number;
  readonly until?: number;
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

/** One unit, for people. */
function lineOf(entry: ListedEntry): string {
  const { resendOf, code, location, unitSha256, flags } = entry;
  const before = resendOf && `${resendOf.partition}/${resendOf.offset}`;
  return [
    new Date(entry.receivedAt).toISOString(),
    `${entry.partition}/${entry.offset}`,
    entry.partner,
    entry.format,
    entry.controlId ?? "-",
    entry.accepted ? "accepted" : `REJECTED ${code}${location ? ` at ${location}` : ""}`,
    `${entry.events} events`,
    ...(entry.journalledAgain ? ["journalled again"] : before ? [`resend of ${before}`] : []),
    ...(entry.reusedId ? ["reused id"] : []),
    ...(flags.length > 0 ? [flags.join(",")] : []),
    ...(unitSha256 ? [`sha256 ${unitSha256.slice(0, 12)}…`] : []),
  ].join("  ");
}

export function registerIntake(command: Command): void {
  registerRetranslate(command);
  command
    .command("status")
    .description(
      "units, accepted, rejected with their codes, resends, reused control ids, events. What is counted is entries of the journal: where the log's answer was lost (Kafka was stopped, a broker died) one reception may be journalled twice, and the second is among units and resends; `intake list` tells which",
    )
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
      "every unit in the journal, partition by partition in the order of arrival: when it came, its verdict, its events, of which unit it is a resend, `reused id` where other content came first under its control id, its flags, and where you may open it its control id and the hash of its exact bytes (whole with `--json`)",
    )
    .option("--partner <name>", "of one partner")
    .option("--connector <name>", "of one connector")
    .option("--code <code>", "rejected with this code")
    .option("--since <time>", "received at or after", instantOf)
    .option("--until <time>", "received before", instantOf)
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
          ...(options.connector ? { connector: options.connector } : {}),
          ...(options.code ? { code: options.code } : {}),
          ...(options.since !== undefined ? { since: options.since } : {}),
          ...(options.until !== undefined ? { until: options.until } : {}),
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
            else print(lineOf(entry));
          }
        } finally {
          vault?.close();
        }
      }),
    );
}
