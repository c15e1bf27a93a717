import { existsSync, writeFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import type { SignedTreeHead } from "../engine/audit/checkpoint.js";
import { patientsOfRecord, placeOfEvent } from "../engine/audit/event-index.js";
import {
  consistencyProofFile,
  contradictionOutside,
  headOver,
  inclusionProofFile,
} from "../engine/audit/proof-files.js";
import { placeName, type RecordPlace, readPlaces } from "../engine/audit/read-places.js";
import { readHead, SecondPlace } from "../engine/audit/second-place.js";
import { checkProof, type ProofFile, proofText, readProof } from "../engine/audit/verifier/proof.js";
import { ownTopics } from "../engine/log/schemas.js";
import { readJournalId } from "../engine/log/topics.js";
import { TributaryError } from "../engine/service/errors.js";
import { actorOf } from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { publicKeyOf, tamperedExitCode, topicOf, trustedKey } from "./audit-verify.js";
import { openInstallation } from "./installation.js";
import { countOf, secondsOf } from "./instant.js";
import { withLog } from "./log.js";
import { assertAlone, assertFolder, assertFree, misuse, readGiven, writing } from "./misuse.js";
import { print, printJson } from "./output.js";
import { nameGiven, textGiven } from "./texts.js";

interface CheckOptions {
  readonly check?: string;
  readonly folder?: string;
  readonly publicKey?: Buffer;
  readonly json?: boolean;
}

interface MakeOptions extends CheckOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly timeout: number;
}

interface ProveOptions extends MakeOptions {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly event?: string;
  readonly size?: number;
  readonly reason?: string;
  readonly recipient?: string;
  readonly by?: string;
}

interface ConsistencyOptions extends MakeOptions {
  readonly from?: string;
  readonly to?: string;
}

function numberOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("a number from 0 on.");
  return Number(text);
}

/** Checks a proof and says so; a proof that doesn't hold is kept from nobody, and the exit code tells. */
async function told(
  bytes: Buffer,
  publicKey: Buffer,
  { folder, json }: CheckOptions,
  made?: { readonly file: string },
): Promise<void> {
  let { ok, lines } = await checkProof(bytes, publicKey.toString("hex"));
  if (ok && folder !== undefined) {
    const found = await contradictionOutside(readProof(bytes), new SecondPlace(folder));
    ok = found === undefined;
    lines = found === undefined ? [...lines, `${folder} says the same.`] : [`NO: ${found}.`];
  }
  if (!ok) process.exitCode = tamperedExitCode;
  if (json) printJson({ ...made, ok, lines });
  else for (const line of [...lines, ...(made ? [made.file] : [])]) print(line);
}

/** With nothing but the file, a public key, and the folder where one is given. */
async function checked({ check = "", ...options }: CheckOptions): Promise<void> {
  assertFolder(options.folder);
  const bytes = readGiven(check);
  // The installation's key is only where the installation is: an auditor gives the public one.
  const settings = options.publicKey === undefined ? (await openInstallation()).settings : undefined;
  const key = trustedKey(settings, options.publicKey);
  await told(bytes, key, options);
}

async function finish(proof: ProofFile, key: Buffer, name: string, options: MakeOptions): Promise<void> {
  const file = options.out ?? name;
  const text = proofText(proof);
  assertFree(file, options.force);
  writing(file, () => writeFileSync(file, text, { mode: 0o600 }));
  await told(Buffer.from(text), key, options, { file });
}

/** The record asked for: a place, or an event's id. @throws TRIB_CLI_MISUSED */
function recordAsked({ topic, partition, offset, event }: ProveOptions): RecordPlace | string {
  if (event !== undefined) {
    assertAlone({ "--event": event, "--topic, --partition and --offset": topic ?? partition ?? offset });
    return event;
  }
  if (topic === undefined || partition === undefined || offset === undefined)
    throw misuse("Give --topic, --partition and --offset, or --event, or --check.");
  return { topic, partition, offset };
}

async function prove(options: ProveOptions): Promise<void> {
  const asked = recordAsked(options);
  assertFolder(options.folder);
  assertFree(options.out, options.force);
  await withAudit({}, async ({ log, pool, codec, settings }) => {
    const key = trustedKey(settings, options.publicKey);
    const { size } = options;
    const place = typeof asked === "string" ? await placeOfEvent(pool, asked) : asked;
    const name = `proof-${placeName(place).replaceAll("/", "-")}.json`;
    assertFree(options.out ?? name, options.force);
    const journal = await readJournalId(log);
    const marks = (await log.watermarks(place.topic)).find((mark) => mark.partition === place.partition);
    if (!marks || place.offset >= marks.high || place.offset < marks.low) {
      throw new TributaryError("TRIB_CLI_NOT_FOUND", `The log has no record ${placeName(place)}.`);
    }
    const wanted = { offset: place.offset, publicKey: key, size, timeout: options.timeout * 1000 };
    const head = await headOver(pool, { journal, topic: place.topic, partition: place.partition }, wanted);
    const [record] = await readPlaces(log, [place]);
    if (!record) throw new TributaryError("TRIB_CLI_NOT_FOUND", `The log has no record ${placeName(place)}.`);
    const proof = await inclusionProofFile(pool, head, record, key);
    await recordAccess(log, codec, {
      action: "EXPORT",
      command: "audit prove",
      subject: { kind: "record", id: placeName(place) },
      patients: await patientsOfRecord(codec, record),
      events: 1,
      reason: options.reason,
      recipient: options.recipient,
      actor: actorOf(options.by),
    });
    await finish(proof, key, name, options);
  });
}

/** `TOPIC/PARTITION/SIZE`, or a file of the second place. */
const isCheckpointName = /^([\w.-]+)\/(\d+)\/(\d+)$/;

/** A checkpoint that is asked for: by its name, or one that somebody kept. */
type AskedHead = { readonly topic: string; readonly partition: number; readonly size: number } | SignedTreeHead;

/** @throws TRIB_CLI_MISUSED, TRIB_CLI_FILE_UNREADABLE, TRIB_CLI_FILE_INVALID */
async function headAsked(text: string): Promise<AskedHead> {
  const [, topic, partition, size] = isCheckpointName.exec(text) ?? [];
  if (topic !== undefined && !existsSync(text)) {
    if (!ownTopics.includes(topic)) throw misuse(`${text}: there is no topic ${topic}.`);
    return { topic, partition: Number(partition), size: Number(size) };
  }
  readGiven(text);
  const head = await readHead(text);
  if (!head) throw new TributaryError("TRIB_CLI_FILE_INVALID", `${text} is not the file of a checkpoint.`);
  return head;
}

async function consistency({ from, to, ...options }: ConsistencyOptions): Promise<void> {
  if (from === undefined) throw misuse("Give --from (and --to; default the last checkpoint), or --check.");
  const asked = { from: await headAsked(from), to: to === undefined ? undefined : await headAsked(to) };
  const isEarlier = asked.to === undefined || asked.from.size <= asked.to.size;
  const isOfIt = asked.from.topic === asked.to?.topic && asked.from.partition === asked.to.partition;
  if (!isEarlier || (asked.to !== undefined && !isOfIt))
    throw misuse("--from is to be an earlier checkpoint of the same partition than --to.");
  assertFolder(options.folder);
  assertFree(options.out, options.force);
  await withLog(async ({ log, pool, settings }) => {
    const key = trustedKey(settings, options.publicKey);
    const journal = await readJournalId(log);
    const timeout = options.timeout * 1000;
    const headOf = async (head: AskedHead): Promise<SignedTreeHead> => {
      if (!("root" in head)) {
        const { topic, partition, size } = head;
        return headOver(pool, { journal, topic, partition }, { offset: 0, publicKey: key, size, timeout });
      }
      if (head.journal === journal) return head;
      const what = `A checkpoint given is of another installation, ${head.journal}.`;
      throw new TributaryError("TRIB_CLI_FILE_INVALID", what);
    };
    const first = await headOf(asked.from);
    const second =
      asked.to === undefined
        ? await headOver(pool, first, { offset: 0, publicKey: key, last: true, timeout })
        : await headOf(asked.to);
    if (first.size > second.size) {
      process.exitCode = tamperedExitCode;
      const lines = [`NO: that checkpoint has ${first.size} records, and the last one of the database ${second.size}.`];
      if (options.json) printJson({ ok: false, lines });
      else for (const line of lines) print(line);
      return;
    }
    const proof = await consistencyProofFile(pool, first, second, key);
    const name = `consistency-${first.topic}-${first.partition}-${first.size}-${second.size}.json`;
    await finish(proof, key, name, options);
  });
}

const addCommon = (command: Command): Command =>
  command
    .option("--out <file>", "where the proof is written; default a name made of what it is about")
    .option("--force", "replace the file where there is one")
    .option("--check <file>", "check a proof, of either kind; needs neither log nor database")
    .option("--folder <folder>", "compare its checkpoints with the notary's second place, or a copy of it")
    .option("--public-key <hex>", "the key whose signatures count; default that of the installation", publicKeyOf)
    .option("--timeout <seconds>", "how long to wait for the notary's signature", secondsOf, 120)
    .option("--json", "one JSON object: file, ok, lines");

export function registerAuditProve(command: Command): void {
  addCommon(
    command
      .command("prove")
      .description(
        "a proof that one record stands in the log that the notary signed (RFC 6962): a small file that anybody can check with the public key alone; recorded as an export; exit code 3 when it does not hold",
      )
      .option("--topic <topic>", "of the record, as the trail names it", topicOf)
      .option("--partition <n>", "of the record", numberOf)
      .option("--offset <n>", "of the record", numberOf)
      .option("--event <id>", "the event's id in their place; reads the timeline")
      .option("--size <n>", "a signed tree of so many records; default the smallest that has it", countOf)
      .option("--reason <text>", "why, for the record", textGiven)
      .option("--recipient <name>", "who is given it", textGiven)
      .option("--by <name>", "who asks; default the user of the system", nameGiven),
  ).action((options: ProveOptions) => {
    const { check, topic, partition, offset, event, size, out } = options;
    assertAlone({ "--check": check, "what is to be made": topic ?? partition ?? offset ?? event ?? size ?? out });
    return check === undefined ? prove(options) : checked(options);
  });
  addCommon(
    command
      .command("consistency")
      .description(
        "a proof that a partition was only added to from one signed checkpoint to another (RFC 6962); exit code 3 when it does not hold",
      )
      .option("--from <checkpoint>", "TOPIC/PARTITION/SIZE, or a file of the second place that somebody kept")
      .option("--to <checkpoint>", "the same; default the last one of the partition"),
  ).action((options: ConsistencyOptions) => {
    const { check, from, to, out } = options;
    assertAlone({ "--check": check, "what is to be made": from ?? to ?? out });
    return check === undefined ? consistency(options) : checked(options);
  });
}
