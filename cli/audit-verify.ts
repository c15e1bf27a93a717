import type { Command } from "commander";
import { fingerprint, notaryKey } from "../engine/audit/checkpoint.js";
import { SecondPlace } from "../engine/audit/second-place.js";
import { verifyLog } from "../engine/audit/verify.js";
import { ownTopics } from "../engine/log/schemas.js";
import { copiedLog } from "../engine/log/segments.js";
import { readJournalId } from "../engine/log/topics.js";
import { TributaryError } from "../engine/service/errors.js";
import { notaryFolder } from "../engine/service/notary-process.js";
import type { Settings } from "../engine/service/settings.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";

interface VerifyOptions {
  readonly topic?: string;
  readonly segments?: string;
  readonly folder?: string;
  readonly publicKey?: string;
  readonly json?: boolean;
}

/** Public key whose signatures count: the one given, else that of the installation's own key. */
export function trustedKey(settings: Settings | undefined, given: string | undefined): Buffer {
  if (given !== undefined) {
    if (!/^[0-9a-fA-F]{64}$/.test(given)) {
      throw new TributaryError(
        "TRIB_CONFIG_INVALID",
        "--public-key: 64 hexadecimal digits, as `audit key` prints them.",
      );
    }
    return Buffer.from(given, "hex");
  }
  const seed = settings?.TRIBUTARY_NOTARY_KEY;
  if (seed) return notaryKey(seed).publicKey;
  throw new TributaryError(
    "TRIB_CONFIG_INVALID",
    "TRIBUTARY_NOTARY_KEY is not set: give the public key that you trust with --public-key.",
  );
}

/** Nothing is wrong, or something is: what a script looks at. */
export const tamperedExitCode = 3;

export function registerAuditVerify(command: Command): void {
  command
    .command("verify")
    .description(
      "read the whole log again and compare it with the notary's hashes and signatures, in the database and outside of it; exit code 3 when a record was changed, left out, inserted or moved, or none could be compared",
    )
    .option("--topic <topic>", "one topic; default all of the installation")
    .option("--segments <folder>", "a copy of a broker's log folder in place of the brokers")
    .option("--folder <folder>", "the notary's second place; default NOTARY_FOLDER")
    .option("--public-key <hex>", "the key whose signatures count; default that of the installation")
    .option("--json", "one JSON object")
    .action((options: VerifyOptions) =>
      withLog(async ({ log, pool, settings }) => {
        const { topic } = options;
        if (topic !== undefined && !ownTopics.includes(topic)) {
          throw new TributaryError("TRIB_CLI_NOT_FOUND", `--topic: one of ${ownTopics.join(", ")}.`);
        }
        const report = await verifyLog({
          log: options.segments === undefined ? log : copiedLog(options.segments, settings.TOPIC_PREFIX),
          pool,
          second: new SecondPlace(options.folder ?? notaryFolder(settings)),
          journal: await readJournalId(log),
          topics: topic === undefined ? ownTopics : [topic],
          keys: [trustedKey(settings, options.publicKey)],
        });
        if (!report.ok) process.exitCode = tamperedExitCode;
        if (options.json) {
          printJson(report);
          return;
        }
        printTable(report.partitions.map(({ findings, ...row }) => ({ ...row, findings: findings.length })));
        print();
        print(`signatures of the key ${report.keys.join(", ")}`);
        const { first } = report;
        if (!first && report.compared === 0) {
          print("Nothing was compared: the notary has seen no record, so this says nothing about the log.");
          print("Is its consumer running (`tributary status`), and is this its database?");
          return;
        }
        if (!first) {
          print("Nothing was changed, left out, inserted or moved among the records that the notary has seen:");
          print(`${report.compared} of the ${report.records} in the log.`);
          return;
        }
        print(`FIRST BREAK  topic ${first.topic}  partition ${first.partition}  offset ${first.offset}`);
        print(`${first.what}: ${first.detail}.`);
        for (const finding of report.partitions.flatMap(({ findings }) => findings)) {
          print(`  ${finding.topic}/${finding.partition}/${finding.offset}  ${finding.what}: ${finding.detail}`);
        }
      }),
    );
  command
    .command("key")
    .description("the public key of the installation's notary, to be given to whoever verifies")
    .option("--json", "one JSON object")
    .action((options: { json?: boolean }) =>
      withLog(async ({ settings }) => {
        const key = trustedKey(settings, undefined);
        const shown = { publicKey: key.toString("hex"), fingerprint: fingerprint(key) };
        if (options.json) printJson(shown);
        else for (const [name, value] of Object.entries(shown)) print(`${name.padEnd(12)}${value}`);
      }),
    );
}
