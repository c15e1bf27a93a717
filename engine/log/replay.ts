import { setTimeout as pause } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { TributaryError } from "../service/errors.js";
import { kafkaErrorType, logError } from "./connection.js";
import { fetchPartition, waitMilliseconds } from "./direct-fetch.js";
import { lastOffsetOf, stretchesOf } from "./incoming.js";
import { type Cluster, libraryBatch } from "./kafkajs-internals.js";
import type { IncomingRecord } from "./log.js";
import { assertReadable, topicWatermarks } from "./watermarks.js";

/** Records given at a time. */
const stretchRecords = 1_000;
/** Without a record for this long the broker is taken to be unreachable. */
const patienceMilliseconds = 30_000;

/** Moved leaders and lost connections: look again where the partition is. */
const passingTypes: ReadonlySet<string> = new Set([
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSNumberOfRetriesExceeded",
]);

/** What the library or our decoder says of bytes that are no records any more; all else is about the way to them. */
const isUnreadable = (type: string): boolean =>
  type === "CORRUPT_MESSAGE" || !(type.startsWith("KafkaJS") || /^[A-Z_]+$/.test(type));

function unreadable(topic: string, partition: number, offset: number, cause?: unknown): TributaryError {
  return new TributaryError(
    "TRIB_LOG_BATCH_UNREADABLE",
    `${topic} partition ${partition} holds something at offset ${offset} that is no record.`,
    { topic, partition, offset },
    { cause },
  );
}

export interface ReplayParts {
  readonly cluster: Cluster;
  readonly admin: Admin;
  /** Whether the log was closed meanwhile: then nothing connects again. Default never. */
  readonly isClosed?: () => boolean;
}

/** What one fetch gave. */
interface Fetched {
  /** As `stretchesOf` takes them. */
  readonly records: object;
  /** Offset of the last of what was fetched, whether it is shown or not; undefined when nothing was. */
  readonly lastOffset: number | undefined;
}

async function fetchFrom(cluster: Cluster, topic: string, partition: number, offset: number): Promise<Fetched> {
  const fetched = await fetchPartition(cluster, topic, partition, offset);
  const records = fetched?.messages ?? [];
  const aborted = fetched?.abortedTransactions?.length ? libraryBatch(topic, offset, fetched).messages : undefined;
  return { records: aborted ?? records, lastOffset: lastOffsetOf(records) };
}

/** Fetches in order; while what one gave is handled, the next is under way. */
function readAhead(fetch: (offset: number) => Promise<Fetched>, end: number): (offset: number) => Promise<Fetched> {
  let next: { readonly offset: number; readonly fetched: Promise<Fetched> } | undefined;
  return async (offset) => {
    const under = next?.offset === offset ? next.fetched : fetch(offset);
    next = undefined;
    const fetched = await under;
    const following = (fetched.lastOffset ?? -1) + 1;
    if (following > offset && following < end) {
      next = { offset: following, fetched: fetch(following) };
      // It may never be asked for; whoever asks for it hears of its failure.
      next.fetched.catch(() => {});
    }
    return fetched;
  };
}

/**
 * Reads a partition by direct fetches, without a group: nothing is joined, committed or left behind. It shows what a
 * consumer is shown: nothing of aborted transactions, which our own topics don't have unless somebody else writes there.
 * The end is the high watermark at the start where `to` lies beyond it, so it always ends.
 * @param topic with the installation's prefix.
 * @throws TRIB_LOG_TRUNCATED when `from` is gone, TRIB_LOG_BATCH_UNREADABLE when the bytes there are no records, TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE
 */
export async function* replay(
  topic: string,
  partition: number,
  from: number,
  to: number,
  { cluster, admin, isClosed = () => false }: ReplayParts,
): AsyncIterable<readonly IncomingRecord[]> {
  if (from >= to) return;
  const marks = await topicWatermarks(admin, topic);
  assertReadable(topic, partition, from, marks);
  const end = Math.min(to, marks.find((mark) => mark.partition === partition)?.high ?? 0);
  let position = from;
  let lastProgress = Date.now();
  if (position >= end) return;
  await cluster.addTargetTopic(topic);
  const ahead = readAhead((offset) => fetchFrom(cluster, topic, partition, offset), end);
  while (position < end) {
    let fetched: Fetched = { records: [], lastOffset: undefined };
    let answered = false;
    try {
      fetched = await ahead(position);
      answered = true;
    } catch (error) {
      const type = kafkaErrorType(error);
      if (type === "OFFSET_OUT_OF_RANGE" || (error as Error).name === "KafkaJSOffsetOutOfRange") {
        assertReadable(topic, partition, position, await topicWatermarks(admin, topic));
      }
      if (isUnreadable(type)) throw unreadable(topic, partition, position, error);
      if (isClosed() || !passingTypes.has(type) || Date.now() - lastProgress > patienceMilliseconds) {
        throw logError(error, `read ${topic} partition ${partition}`);
      }
      await pause(waitMilliseconds);
      if (isClosed()) throw logError(error, `read ${topic} partition ${partition}`);
      if (!cluster.isConnected()) await cluster.connect().catch(() => undefined);
      await cluster.refreshMetadata().catch(() => undefined);
    }
    const start = position;
    for (const stretch of stretchesOf(fetched.records, stretchRecords)) {
      const records = stretch.filter(({ offset }) => offset >= start && offset < end);
      if (records.length > 0) yield records;
    }
    position = Math.max(position, (fetched.lastOffset ?? -1) + 1);
    if (position > start) lastProgress = Date.now();
    else if (Date.now() - lastProgress > patienceMilliseconds) {
      if (answered) throw unreadable(topic, partition, position);
      throw new TributaryError(
        "TRIB_LOG_UNAVAILABLE",
        `${topic} partition ${partition} gives nothing at offset ${position}, although it ends at ${end}.`,
        { topic, partition, offset: position },
      );
    }
  }
}
