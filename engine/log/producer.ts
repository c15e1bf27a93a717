import type { Admin, Kafka, Producer } from "kafkajs";
import { TributaryError } from "../service/errors.js";
import { type AppendReply, appendVerified, type PartitionBatch, type PlacedRecord } from "./append.js";
import { kafkaErrorType, logError } from "./connection.js";
import { batchMessage, encodeBatchesOurselves } from "./kafkajs-produce.js";
import type { Appended, LogProducer, OutgoingRecord } from "./log.js";
import { partitionOf } from "./murmur2.js";
import { partitionCount } from "./watermarks.js";

/** An append that takes longer is given up, retriably: a partner waits for its answer. */
const appendMilliseconds = 20_000;

/** Errors that no repetition mends. */
const finalTypes: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TOPIC_EXCEPTION",
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "SASL_AUTHENTICATION_FAILED",
]);

/** Sends batches as the library does, and gives what it says of them, be it true or not. */
export function sendThrough(
  producer: Pick<Producer, "sendBatch">,
  prefix: string,
): (batches: readonly PartitionBatch[]) => Promise<readonly AppendReply[]> {
  encodeBatchesOurselves();
  return async (batches) => {
    const replies = await producer.sendBatch({
      acks: -1,
      timeout: appendMilliseconds,
      topicMessages: batches.map(({ topic, partition, records }) => ({
        topic: `${prefix}${topic}`,
        messages: [batchMessage(partition, records)],
      })),
    });
    return replies.map(({ topicName, partition, errorCode, baseOffset }) => ({
      topic: topicName.slice(prefix.length),
      partition,
      errorCode,
      baseOffset: Number(baseOffset ?? -1),
    }));
  };
}

/**
 * A producer whose appends are verified and never overlap.
 * @param keyed as `Log.producer` takes it.
 */
export async function connectProducer(
  kafka: Kafka,
  admin: Admin,
  prefix: string,
  keyed?: ReadonlyMap<string, number>,
): Promise<LogProducer> {
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    // Every record comes with its partition.
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
    // Retries are ours: the library's own remembers replies by broker, and so leaves out partitions that moved.
    retry: { retries: 0 },
  });
  try {
    await producer.connect();
  } catch (error) {
    throw logError(error, "connect to the log");
  }
  const counts = new Map(keyed);
  let last: Promise<unknown> = Promise.resolve();

  /** The partition of the last key: a feed's units follow each other. */
  let hot = { topic: "", key: "", partition: 0 };

  const place = (record: OutgoingRecord): PlacedRecord | Promise<PlacedRecord> => {
    if (record.partition !== undefined) return record as PlacedRecord;
    const { topic, key, value, headers } = record;
    const count = counts.get(topic);
    if (count !== undefined) {
      if (hot.key !== key || hot.topic !== topic) hot = { topic, key, partition: partitionOf(key, count) };
      const { partition } = hot;
      return headers === undefined ? { topic, partition, key, value } : { topic, partition, key, value, headers };
    }
    return partitionCount(admin, `${prefix}${record.topic}`).then((found) => {
      counts.set(record.topic, found);
      return { ...record, partition: partitionOf(record.key, found) };
    });
  };

  const send = sendThrough(producer, prefix);

  const append = async (records: readonly OutgoingRecord[], deadline: number): Promise<readonly Appended[]> => {
    if (Date.now() >= deadline) throw tooLate();
    try {
      const placed: PlacedRecord[] = [];
      for (const record of records) {
        const placing = place(record);
        placed.push(placing instanceof Promise ? await placing : placing);
      }
      const retriable = (error: unknown): boolean => !finalTypes.has(kafkaErrorType(error));
      return await appendVerified(placed, { send, retriable, deadline });
    } catch (error) {
      throw logError(error, "append to the log");
    }
  };

  return {
    async append(records) {
      const deadline = Date.now() + appendMilliseconds;
      const turn = last.then(() => append(records, deadline));
      // The next append waits for this one, however it ends: two in flight could overtake each other.
      last = turn.catch(() => undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(tooLate()), appendMilliseconds);
      });
      try {
        return await Promise.race([turn, late]);
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      await last;
      await producer.disconnect();
    },
  };
}

function tooLate(): TributaryError {
  return new TributaryError(
    "TRIB_LOG_UNAVAILABLE",
    `The log did not take the records within ${appendMilliseconds / 1000} seconds; some may have been appended.`,
  );
}
