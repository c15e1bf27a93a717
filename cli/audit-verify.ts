import { type Command, InvalidArgumentError } from "commander";
import { fingerprint, notaryKey } from "../engine/audit/checkpoint.js";
import type { AuditReport } from "../engine/audit/findings.js";
import { SecondPlace } from "../engine/audit/second-place.js";
import { verifyLog } from "../engine/audit/verify.js";
import { ownTopics } from "../engine/log/schemas.js";
import { copiedLog } from "../engine/log/segments.js";
import { readJournalId } from "../engine/log/topics.js";
import { TributaryError } from "../engine/service/errors.js";
import { notaryFolder } from "../engine/service/notary-process.js";
import type { Settings } from "../engine/service/settings.js";
import { comparedFurther, printFurther } from "./audit-further.js";
import { withLog } from "./log.js";
import { assertFolder, misuse } from "./misuse.js";
import { print, printJson, printTable } from "./output.js";
import { withProgress } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

interface VerifyOptions {
  readonly topic?: string;
  readonly segments?: string;
  readonly folder?: string;
  readonly publicKey?: Buffer;
  readonly origins?: boolean;
  readonly deliveries?: boolean;
  readonly unseen: number;
  readonly json?: boolean;
}

/** A raw public key. @throws InvalidArgumentError */
export function publicKeyOf(text: string): Buffer {
  if (!/^[0-9a-fA-F]{64}$/.test(text))
    throw new InvalidArgumentError("64 hexadecimal digits, as `audit key` prints them.");
  return Buffer.from(text, "hex");
}

/** @throws InvalidArgumentError */
function minutesOf(text: string): number {
  const minutes = Number(text);
  if (text.trim() === "" || !(minutes >= 0)) throw new InvalidArgumentError("a number of minutes.");
  return minutes;
}

/** A topic of the installation, by its name without prefix. @throws InvalidArgumentError */
export function topicOf(text: string): string {
  if (!ownTopics.includes(text)) throw new InvalidArgumentError(`one of ${ownTopics.join(", ")}.`);
  return text;
}

/**
 * Public key whose signatures count: the one given, else that of the installation's own key.
 * @throws TRIB_CONFIG_INVALID when there is neither.
 */
export function trustedKey(settings: Settings | undefined, given: Buffer | undefined): Buffer {
  if (given !== undefined) return given;
  const seed = settings?.TRIBUTARY_NOTARY_KEY;
  if (seed) return notaryKey(seed).publicKey;
  throw new TributaryError(
    "TRIB_CONFIG_INVALID",
    "TRIBUTARY_NOTARY_KEY is not set: give the public key that you trust with --public-key.",
  );
}

/** Nothing is wrong, or something is: what a script looks at. */
export const tamperedExitCode = 3;
/** Nothing is wrong with what was compared, and the notary does not do its work. */
const behindExitCode = 4;

function printBehind({ topic, partition, offset, appendedAt }: NonNullable<AuditReport["behind"]>): void {
  const since = new Date(appendedAt).toISOString();
  print(`THE NOTARY IS BEHIND  topic ${topic}  partition ${partition}  offset ${offset}`);
  print(`It has not seen this record, which is there since ${since}: nothing is known of it, nor of those after it.`);
  print("Does its consumer run (`tributary status`, its log)?");
}

export function registerAuditVerify(command: Command): void {
  command
    .command("verify")
    .description(
      "read the whole log again and compare it with the notary's hashes and signatures, in the database and outside of it; exit code 3 when a record was changed, left out, inserted or moved, or none could be compared, 4 when nothing of that is so, but the notary has not seen what it should have",
    )
    .option("--topic <topic>", "one topic; default all of the installation", topicOf)
    .option("--segments <folder>", "a copy of a broker's log folder in place of the brokers")
    .option("--folder <folder>", "the notary's second place; default NOTARY_FOLDER")
    .option("--public-key <hex>", "the key whose signatures count; default that of the installation", publicKeyOf)
    .option(
      "--origins",
      "also compare every event with the unit that it names, and look for every event of every published unit",
    )
    .option(
      "--deliveries",
      "also look in the database for every delivery to a partner that consumers recorded in the log",
    )
    .option(
      "--unseen <minutes>",
      "how long after it was appended a record may wait for the notary before that is exit code 4",
      minutesOf,
      10,
    )
    .option("--json", "one JSON object")
    .action(async (options: VerifyOptions) => {
      if ((options.origins || options.deliveries) && (options.segments !== undefined || options.topic !== undefined))
        throw misuse("--origins and --deliveries look at the brokers' topics as a whole: no --segments, no --topic.");
      assertFolder(options.segments);
      assertFolder(options.folder);
      await withLog(async ({ log, pool, settings }) => {
        const { topic } = options;
        const read = options.segments === undefined ? log : copiedLog(options.segments, settings.TOPIC_PREFIX);
        const report = await withProgress(!options.json, "records", async ({ tell }) =>
          verifyLog({
            log: watchedLog(read, tell),
            pool,
            second: new SecondPlace(options.folder ?? notaryFolder(settings)),
            journal: await readJournalId(log),
            topics: topic === undefined ? ownTopics : [topic],
            keys: [trustedKey(settings, options.publicKey)],
            unseenMilliseconds: options.unseen * 60_000,
          }),
        );
        const further = await withProgress(!options.json, "records", ({ tell }) =>
          comparedFurther({ log, pool, settings }, options, tell),
        );
        const ok = report.ok && further.origins?.ok !== false && further.deliveries?.ok !== false;
        if (!ok) process.exitCode = tamperedExitCode;
        else if (report.behind) process.exitCode = behindExitCode;
        if (options.json) {
          printJson({ ...report, ok, ...further });
          return;
        }
        printFurther(further);
        printTable(report.partitions.map(({ findings, unseen: _, ...row }) => ({ ...row, findings: findings.length })));
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
          if (report.behind) printBehind(report.behind);
          return;
        }
        print(`FIRST BREAK  topic ${first.topic}  partition ${first.partition}  offset ${first.offset}`);
        print(`${first.what}: ${first.detail}.`);
        for (const finding of report.partitions.flatMap(({ findings }) => findings)) {
          print(`  ${finding.topic}/${finding.partition}/${finding.offset}  ${finding.what}: ${finding.detail}`);
        }
      });
    });
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
