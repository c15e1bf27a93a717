import { existsSync, readFileSync, writeFileSync } from "node:fs";
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
import { readJournalId } from "../engine/log/topics.js";
import { TributaryError } from "../engine/service/errors.js";
import { actorOf } from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { tamperedExitCode, trustedKey } from "./audit-verify.js";
import { openInstallation } from "./installation.js";
import { withLog } from "./log.js";
import { print, printJson } from "./output.js";

interface CheckOptions {
  readonly check?: string;
  readonly folder?: string;
  readonly publicKey?: string;
  readonly json?: boolean;
}

interface MakeOptions extends CheckOptions {
  readonly out?: string;
  readonly timeout: string;
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

const misuse = (message: string) => new TributaryError("TRIB_CONFIG_INVALID", message);

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
  // The installation's key is only where the installation is: an auditor gives the public one.
  const settings = options.publicKey === undefined ? (await openInstallation()).settings : undefined;
  const key = trustedKey(settings, options.publicKey);
  let bytes: Buffer;
  try {
    bytes = readFileSync(check);
  } catch (error) {
    throw new TributaryError("TRIB_CLI_FILE_UNREADABLE", undefined, { file: check }, { cause: error });
  }
  await told(bytes, key, options);
}

async function finish(proof: ProofFile, key: Buffer, name: string, options: MakeOptions): Promise<void> {
  const file = options.out ?? name;
  const text = proofText(proof);
  writeFileSync(file, text, { mode: 0o600 });
  await told(Buffer.from(text), key, options, { file });
}

const prove = (options: ProveOptions): Promise<void> =>
  withAudit({}, async ({ log, pool, codec, settings }) => {
    const key = trustedKey(settings, options.publicKey);
    const { topic, partition, offset, event, size } = options;
    let place: RecordPlace;
    if (event !== undefined) place = await placeOfEvent(pool, event);
    else if (topic !== undefined && partition !== undefined && offset !== undefined)
      place = { topic, partition, offset };
    else throw misuse("Give --topic, --partition and --offset, or --event, or --check.");
    const journal = await readJournalId(log);
    const marks = (await log.watermarks(place.topic)).find((mark) => mark.partition === place.partition);
    if (!marks || place.offset >= marks.high || place.offset < marks.low) {
      throw new TributaryError("TRIB_CLI_NOT_FOUND", `The log has no record ${placeName(place)}.`);
    }
    const wanted = { offset: place.offset, publicKey: key, size, timeout: Number(options.timeout) * 1000 };
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
    await finish(proof, key, `proof-${placeName(place).replaceAll("/", "-")}.json`, options);
  });

/** `TOPIC/PARTITION/SIZE`, or a file of the second place. */
const isCheckpointName = /^([\w.-]+)\/(\d+)\/(\d+)$/;

const consistency = ({ from, to, ...options }: ConsistencyOptions): Promise<void> =>
  withLog(async ({ log, pool, settings }) => {
    if (from === undefined) throw misuse("Give --from (and --to; default the last checkpoint), or --check.");
    const key = trustedKey(settings, options.publicKey);
    const journal = await readJournalId(log);
    const timeout = Number(options.timeout) * 1000;
    const headOf = async (text: string): Promise<SignedTreeHead> => {
      const [, topic, partition, size] = isCheckpointName.exec(text) ?? [];
      if (topic !== undefined && !existsSync(text)) {
        const place = { journal, topic, partition: Number(partition) };
        return headOver(pool, place, { offset: 0, publicKey: key, size: Number(size), timeout });
      }
      const head = await readHead(text);
      if (!head) throw misuse(`${text} is neither TOPIC/PARTITION/SIZE nor a checkpoint's file.`);
      if (head.journal !== journal) throw misuse(`${text} is a checkpoint of another installation, ${head.journal}.`);
      return head;
    };
    const first = await headOf(from);
    const second =
      to === undefined
        ? await headOver(pool, first, { offset: 0, publicKey: key, last: true, timeout })
        : await headOf(to);
    const isSamePlace = first.topic === second.topic && first.partition === second.partition;
    if (isSamePlace && first.size > second.size && to === undefined) {
      process.exitCode = tamperedExitCode;
      const lines = [`NO: that checkpoint has ${first.size} records, and the last one of the database ${second.size}.`];
      if (options.json) printJson({ ok: false, lines });
      else for (const line of lines) print(line);
      return;
    }
    if (!isSamePlace || first.size > second.size) {
      throw misuse("--from is to be an earlier checkpoint of the same partition than --to.");
    }
    const proof = await consistencyProofFile(pool, first, second, key);
    const name = `consistency-${first.topic}-${first.partition}-${first.size}-${second.size}.json`;
    await finish(proof, key, name, options);
  });

const addCommon = (command: Command): Command =>
  command
    .option("--out <file>", "where the proof is written; default a name made of what it is about")
    .option("--check <file>", "check a proof, of either kind; needs neither log nor database")
    .option("--folder <folder>", "compare its checkpoints with the notary's second place, or a copy of it")
    .option("--public-key <hex>", "the key whose signatures count; default that of the installation")
    .option("--timeout <seconds>", "how long to wait for the notary's signature", "120")
    .option("--json", "one JSON object: file, ok, lines");

export function registerAuditProve(command: Command): void {
  addCommon(
    command
      .command("prove")
      .description(
        "a proof that one record stands in the log that the notary signed (RFC 6962): a small file that anybody can check with the public key alone; recorded as an export; exit code 3 when it does not hold",
      )
      .option("--topic <topic>", "of the record, as the trail names it")
      .option("--partition <n>", "of the record", numberOf)
      .option("--offset <n>", "of the record", numberOf)
      .option("--event <id>", "the event's id in their place; reads the timeline")
      .option("--size <n>", "a signed tree of so many records; default the smallest that has it", numberOf)
      .option("--reason <text>", "why, for the record")
      .option("--recipient <name>", "who is given it")
      .option("--by <name>", "who asks; default the user of the system"),
  ).action((options: ProveOptions) => (options.check === undefined ? prove(options) : checked(options)));
  addCommon(
    command
      .command("consistency")
      .description(
        "a proof that a partition was only added to from one signed checkpoint to another (RFC 6962); exit code 3 when it does not hold",
      )
      .option("--from <checkpoint>", "TOPIC/PARTITION/SIZE, or a file of the second place that somebody kept")
      .option("--to <checkpoint>", "the same; default the last one of the partition"),
  ).action((options: ConsistencyOptions) => (options.check === undefined ? consistency(options) : checked(options)));
}
