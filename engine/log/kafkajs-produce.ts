import { assertKafkajsVersion, type ProduceRequest, replaceProduceEncoder } from "./kafkajs-internals.js";
import { type BatchedRecord, encodeProduce } from "./record-batch-writer.js";

/**
 * All records of a partition as the one message that the library is shown of them. It groups messages in a time quadratic
 * in their number, and makes of each a record with several encoders of half a kilobyte: more than the work of a unit
 * otherwise (docs/performance.md).
 */
export interface BatchMessage {
  readonly partition: number;
  readonly value: Buffer;
  readonly batch: readonly BatchedRecord[];
}

const nothing = Buffer.alloc(0);

export const batchMessage = (partition: number, batch: readonly BatchedRecord[]): BatchMessage => ({
  partition,
  value: nothing,
  batch,
});

const isBatch = (message: object): message is BatchMessage => "batch" in message;

/** The bytes of a request whose partitions are batches; undefined for what the library has to encode. */
function encodeBatches({ acks, timeout, topicData }: ProduceRequest): Buffer | undefined {
  const topics = topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, messages }) => ({
      // The library has them as names of members, which are text.
      partition: Number(partition),
      records: messages.filter(isBatch).flatMap(({ batch }) => batch),
      ours: messages.every(isBatch),
    })),
  }));
  if (topics.some(({ partitions }) => partitions.some(({ ours }) => !ours))) return undefined;
  return encodeProduce(topics, { acks, timeout, now: Date.now() });
}

let applied = false;

/** Applies the replacement to the installed library, once a process, before its first produce. @throws when it is another version. */
export function encodeBatchesOurselves(): void {
  if (applied) return;
  assertKafkajsVersion();
  replaceProduceEncoder(encodeBatches);
  applied = true;
}
