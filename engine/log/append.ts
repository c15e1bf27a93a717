import { setTimeout as pause } from "node:timers/promises";
import type { Appended, OutgoingRecord } from "./log.js";

/** A record with the partition it goes to. */
export interface PlacedRecord extends OutgoingRecord {
  readonly partition: number;
}

/** Records of one partition that travel in one request. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly PlacedRecord[];
}

/** One entry of the broker's reply. */
export interface AppendReply {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Offset of the batch's first record; negative when the broker didn't tell. */
  readonly baseOffset: number;
}

/** Sends batches in one request a broker. The reply may leave partitions out: nothing is concluded from its arrival. */
type SendBatches = (batches: readonly PartitionBatch[]) => Promise<readonly AppendReply[]>;

export interface AppendLimits {
  /** Most records of a partition in one request. */
  readonly partitionRecords: number;
  /** Most bytes of a partition in one request, below a topic's default `max.message.bytes`; a larger record goes alone. */
  readonly partitionBytes: number;
  /** Most records in one request; the library crashes above about 125,000. */
  readonly requestRecords: number;
  /** Most bytes in one request, below the broker's `socket.request.max.bytes`. */
  readonly requestBytes: number;
}

const appendLimits: AppendLimits = {
  partitionRecords: 2_000,
  partitionBytes: 900_000,
  requestRecords: 50_000,
  requestBytes: 20_000_000,
};

/** Bytes that a record takes beside key, value and headers, at most. */
const recordOverhead = 64;

function sizeOf(record: OutgoingRecord): number {
  let size = recordOverhead + record.key.length * 3 + record.value.length;
  if (record.headers === undefined) return size;
  for (const [name, value] of Object.entries(record.headers)) size += (name.length + value.length) * 3;
  return size;
}

interface Slice extends PartitionBatch {
  readonly bytes: number;
  /** Places of the records in what was given to append. */
  readonly indexes: readonly number[];
}

/** Cuts the records of each partition, in their order, into slices that one request may carry. */
function slicesOf(records: readonly PlacedRecord[], limits: AppendLimits): Slice[][] {
  type Queue = { records: PlacedRecord[]; indexes: number[]; bytes: number }[];
  const topics = new Map<string, Queue[]>();
  let topic: string | undefined;
  let partitions: Queue[] = [];
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as PlacedRecord;
    // Most records go where the one before them goes.
    if (record.topic !== topic) {
      topic = record.topic;
      partitions = topics.get(topic) ?? [];
      topics.set(topic, partitions);
    }
    let queue = partitions[record.partition];
    if (queue === undefined) {
      queue = [];
      partitions[record.partition] = queue;
    }
    const size = sizeOf(record);
    let last = queue[queue.length - 1];
    if (!last || last.records.length >= limits.partitionRecords || last.bytes + size > limits.partitionBytes) {
      last = { records: [], indexes: [], bytes: 0 };
      queue.push(last);
    }
    last.records.push(record);
    last.indexes.push(index);
    last.bytes += size;
  }
  // A partition that nothing goes to is a hole, which flat() leaves out.
  return [...topics.values()].flat().map((queue) =>
    queue.map((slice) => {
      const { topic, partition } = slice.records[0] as PlacedRecord;
      return { ...slice, topic, partition };
    }),
  );
}

/** The next slice of as many partitions as one request may carry. */
function nextRequest(queues: readonly Slice[][], limits: AppendLimits): Slice[] {
  const request: Slice[] = [];
  let [bytes, count] = [0, 0];
  for (const [head] of queues) {
    if (!head) continue;
    const fits = bytes + head.bytes <= limits.requestBytes && count + head.records.length <= limits.requestRecords;
    if (request.length > 0 && !fits) break;
    request.push(head);
    bytes += head.bytes;
    count += head.records.length;
  }
  return request;
}

export interface AppendOptions {
  readonly send: SendBatches;
  /** Whether a failed send may be tried again. */
  readonly retriable: (error: unknown) => boolean;
  /** Epoch milliseconds after which no new attempt begins. */
  readonly deadline: number;
  readonly limits?: AppendLimits;
  /** Wait before attempt number `attempt` (from 1) of the same records, milliseconds. */
  readonly backoff?: (attempt: number) => number;
}

/**
 * Appends records so that a record counts as appended only when a reply names its (topic, partition) with error 0 and
 * an offset. Partitions that the reply leaves out are sent again, and so is everything when the send failed: a
 * partition's slice is in doubt as a whole, and the slice after it waits. So a partition holds the records in order,
 * with repeated stretches and no gap.
 * @returns where each record went, in the order given.
 * @throws the last error when the deadline passes; some records may have been appended.
 */
export async function appendVerified(
  records: readonly PlacedRecord[],
  options: AppendOptions,
): Promise<readonly Appended[]> {
  const limits = options.limits ?? appendLimits;
  const backoff = options.backoff ?? ((attempt) => Math.min(50 * 2 ** attempt, 2_000));
  const appended = new Array<Appended>(records.length);
  const queues = slicesOf(records, limits);
  let attempt = 0;
  for (let request = nextRequest(queues, limits); request.length > 0; request = nextRequest(queues, limits)) {
    let failure: unknown = new Error("The broker's reply left partitions out.");
    let replies: readonly AppendReply[] = [];
    try {
      replies = await options.send(request);
    } catch (error) {
      if (!options.retriable(error)) throw error;
      failure = error;
    }
    let missing = 0;
    for (const slice of request) {
      const { topic, partition } = slice;
      const reply = replies.find((each) => each.topic === topic && each.partition === partition);
      if (reply?.errorCode !== 0 || !(reply.baseOffset >= 0)) {
        missing++;
        continue;
      }
      slice.indexes.forEach((index, place) => {
        appended[index] = { topic, partition, offset: reply.baseOffset + place };
      });
      queues.find((queue) => queue[0] === slice)?.shift();
    }
    if (missing === 0) {
      attempt = 0;
      continue;
    }
    attempt++;
    const wait = backoff(attempt);
    if (Date.now() + wait >= options.deadline) throw failure;
    await pause(wait);
  }
  return appended;
}
