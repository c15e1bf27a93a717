import { randomUUID } from "node:crypto";
import { TributaryError } from "../service/errors.js";
import type { Codec } from "./codec.js";
import type { Log, LogProducer } from "./log.js";
import { journalTopic } from "./schemas.js";

/** The key tells the id, so that it can be read without a registry. No feed is named so. */
const keyPattern = /^journal\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

function unmade(detail: string): TributaryError {
  return new TributaryError("TRIB_LOG_JOURNAL_UNMADE", detail);
}

/** Journal id in the first record of a partition; undefined when the partition is empty. */
async function idOf(log: Log, partition: number): Promise<string | undefined> {
  for await (const [first] of log.read(journalTopic, partition, 0, 1)) {
    const id = first && keyPattern.exec(first.key)?.[1];
    if (id) return id;
    throw unmade(
      `Partition ${partition} of the journal doesn't begin with the journal's id: the topic was not made by \`tributary topics apply\`.`,
    );
  }
  return undefined;
}

async function append(producer: LogProducer, codec: Codec, id: string, partitions: readonly number[]): Promise<void> {
  const key = `journal/${id}`;
  const value = codec.encodeEntry({
    entry: "GENESIS",
    journal: id,
    receiptId: id,
    receivedAt: Date.now(),
    partner: "tributary",
    feed: key,
    connector: "tributary",
    connectorVersion: "1",
    format: "GENESIS",
    accepted: true,
    contentHash: Buffer.alloc(0),
    size: 0,
    sealedUnit: Buffer.alloc(0),
  });
  await producer.append(partitions.map((partition) => ({ topic: journalTopic, partition, key, value })));
}

/**
 * Gives the journal its id: every partition begins with an entry of kind GENESIS that names it. Whoever recreates the
 * topic makes another id. Idempotent after being killed anywhere, and for any number of callers at once: the first
 * record of partition 0 decides, and it is written before all others.
 * @returns the id.
 * @throws TRIB_LOG_JOURNAL_UNMADE when a partition begins with something else.
 */
export async function openJournal(log: Log, codec: Codec): Promise<string> {
  const partitions = (await log.watermarks(journalTopic)).map(({ partition }) => partition);
  const ids = await Promise.all(partitions.map((partition) => idOf(log, partition)));
  if (ids.every((id) => id !== undefined)) return sameId(ids);
  const producer = await log.producer();
  try {
    if (ids[0] === undefined) {
      // Killed before the first entry, or never begun; another id elsewhere would come from a caller before this rule.
      await append(producer, codec, ids.find((id) => id !== undefined) ?? randomUUID(), [0]);
      ids[0] = await idOf(log, 0);
    }
    const [id] = ids;
    if (id === undefined) throw unmade("The journal's first entry can't be read back.");
    const empty = partitions.filter((partition) => ids[partition] === undefined);
    if (empty.length > 0) await append(producer, codec, id, empty);
  } finally {
    await producer.close();
  }
  return readJournalId(log);
}

function sameId(ids: readonly (string | undefined)[]): string {
  const [id] = ids;
  if (id === undefined) throw unmade("The journal has no id. Run `tributary topics apply`.");
  const other = ids.findIndex((each) => each !== id);
  if (other < 0) return id;
  throw unmade(
    ids[other] === undefined
      ? `Partition ${other} of the journal has no id. Run \`tributary topics apply\`.`
      : `Partition ${other} of the journal has another id than partition 0: it was put together from two journals.`,
  );
}

/** Id of the journal, made with its topic. @throws TRIB_LOG_JOURNAL_UNMADE, TRIB_LOG_TOPIC_MISSING */
export async function readJournalId(log: Log): Promise<string> {
  const partitions = await log.watermarks(journalTopic);
  return sameId(await Promise.all(partitions.map(({ partition }) => idOf(log, partition))));
}
