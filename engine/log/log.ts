/**
 * The log as the rest of the engine sees it: appended records in, ordered lanes out.
 * Offsets are JavaScript numbers (exact to 2^53), instants epoch milliseconds.
 */

/** A record to be appended. Topic names are without the installation's prefix. */
export interface OutgoingRecord {
  readonly topic: string;
  /** Chosen by murmur2 of the key when absent. */
  readonly partition?: number;
  readonly key: string;
  readonly value: Buffer;
  /** Header names and values; only `position` and `traceparent` are used. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a record was appended, in the order of the records given. */
export interface Appended {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A record read from the log. */
export interface IncomingRecord {
  readonly offset: number;
  /** Append time set by the broker. */
  readonly timestamp: number;
  readonly key: string;
  /** Null for a tombstone, which our topics never have. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that the value lies in, when it is cut out of others: whoever only reads it needs no cutting. */
  readonly within?: Buffer;
  /** Where in them the value begins. */
  readonly valueStart?: number;
  /** Where it ends; -1 for no value. */
  readonly valueEnd?: number;
  /** The same to the byte, where the reader has it: see `exactBytes`. */
  exact?(): RecordBytes;
}

/** What the log keeps of a record, to the byte and in its order: texts would hide what is no UTF-8. */
export interface RecordBytes {
  /** Null for none. */
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Name and value, in the order written; a name may stand several times. */
  readonly headers: readonly (readonly [name: Buffer, value: Buffer | null])[];
}

/** A record's bytes. A record that was made of texts is as its texts are; its empty key is none. */
export function exactBytes(record: IncomingRecord): RecordBytes {
  if (record.exact) return record.exact();
  const { key, value, headers } = record;
  return {
    key: key === "" ? null : Buffer.from(key),
    value,
    headers: Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
  };
}

export interface LogProducer {
  /**
   * Appends records with acks=all and resolves only when the broker's reply names every (topic, partition) sent,
   * with error 0 and an offset. Records of one partition keep their order. Partitions missing in the reply are sent again.
   * @throws TRIB_LOG_UNAVAILABLE (retriable) when that can't be reached in time: some records may have been appended.
   */
  append(records: readonly OutgoingRecord[]): Promise<readonly Appended[]>;
  close(): Promise<void>;
}

/** What a consumer does with one partition while it owns it. Calls of one lane never overlap. */
export interface LaneHandler {
  /**
   * Called on assignment, before any batch. Gives the offset to read from. It may take its time over what is away, and
   * ends with any error as soon as the lane isn't owned any more.
   */
  open(ownership?: Ownership): Promise<number>;
  /**
   * Handles records in order. Throwing stops the whole subscription loudly (`onFailure`), never the broker's rejoin loop:
   * data errors are the handler's own business. What is thrown after the lane was lost stops nothing.
   */
  batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void>;
  /** Called when the lane was lost or the subscription closes; no batch follows. */
  close(): Promise<void>;
}

export interface Ownership {
  /** False once the partition was given to another member: work not yet written is to be dropped. */
  isOwned(): boolean;
  /** How many partitions the topic has; told when a lane is opened. */
  readonly partitions?: number | undefined;
}

export interface LaneContext extends Ownership {
  /** Offset that the next record appended to this partition will get. */
  readonly highWatermark: number;
  /** Keeps the membership alive during long work. */
  heartbeat(): Promise<void>;
  /** Reads on from another offset after this batch (for a lane that had to re-read its checkpoint). */
  seek(offset: number): void;
  /**
   * Whether the log has a record from one offset up to another, or may have one: who asks reads again from there. Absent in
   * a log that leaves no offset out.
   */
  readonly holdsRecords?: (from: number, to: number) => Promise<boolean>;
}

export interface SubscriptionOptions {
  /** Group id without the installation's prefix, `tributary.<name>`. */
  readonly group: string;
  readonly topics: readonly string[];
  readonly lane: (topic: string, partition: number) => LaneHandler;
  /** Called once when the subscription ends by itself: a crash, a thrown batch, a truncated log. The process must exit. */
  readonly onFailure: (error: Error) => void;
  /** Most bytes fetched a partition; default 1 MiB. */
  readonly maxBytesPerPartition?: number;
  /** Lanes whose batches may run at once; default 4. */
  readonly concurrency?: number;
}

export interface Subscription {
  /** Partitions owned now. */
  assignment(): readonly { topic: string; partition: number }[];
  /** Milliseconds since the last sign of progress (a batch handled or an empty fetch). */
  idleMilliseconds(): number;
  /** Finishes the batches in hand, leaves the group. */
  close(): Promise<void>;
}

export interface Watermarks {
  readonly partition: number;
  /** First offset still there. */
  readonly low: number;
  /** Offset the next record will get. */
  readonly high: number;
}

export interface Log {
  /** @param keyed over how many partitions keys of a topic are spread; default all that it has when it is first appended to. */
  producer(keyed?: ReadonlyMap<string, number>): Promise<LogProducer>;
  subscribe(options: SubscriptionOptions): Promise<Subscription>;
  /**
   * Of each partition the first record that was appended after an instant (epoch milliseconds), or where it ends when there
   * is none.
   * @throws TRIB_LOG_TOPIC_MISSING
   */
  offsetsAfter(topic: string, instant: number): Promise<readonly { partition: number; offset: number }[]>;
  /** @throws TRIB_LOG_TOPIC_MISSING when the topic isn't there. */
  watermarks(topic: string): Promise<readonly Watermarks[]>;
  /**
   * Reads one partition from `from` (inclusive) to `to` (exclusive), both offsets, in batches, outside of any group's
   * membership that could disturb a consumer. Ends when `to` is reached (gaps left by the broker count as reached).
   */
  read(topic: string, partition: number, from: number, to: number): AsyncIterable<readonly IncomingRecord[]>;
  close(): Promise<void>;
}
