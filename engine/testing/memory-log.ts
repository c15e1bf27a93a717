import type {
  Appended,
  IncomingRecord,
  LaneContext,
  LaneHandler,
  Log,
  LogProducer,
  OutgoingRecord,
  Subscription,
  SubscriptionOptions,
} from "../log/log.js";
import { TributaryError } from "../service/errors.js";

/** A log in memory that behaves as the real one does, one member a group. Append times come from `clock`. */
export interface MemoryLog extends Log {
  /** Records of one partition so far. */
  records(topic: string, partition: number): readonly IncomingRecord[];
  /** Partition of a key that is appended without one. */
  partitionOf(key: string): number;
  /** Gives the append time of each record, epoch milliseconds. */
  clock: () => number;
}

export interface MemoryLogOptions {
  readonly partitions?: number;
  /** Most records a lane gets in one batch; default 500. */
  readonly batchRecords?: number;
}

/** Any topic exists from its first use on, with the same number of partitions. */
export function memoryLog({ partitions = 3, batchRecords = 500 }: MemoryLogOptions = {}): MemoryLog {
  const topics = new Map<string, IncomingRecord[][]>();
  const wakers = new Set<() => void>();
  const topicOf = (name: string): IncomingRecord[][] => {
    let topic = topics.get(name);
    if (!topic) {
      topic = Array.from({ length: partitions }, () => []);
      topics.set(name, topic);
    }
    return topic;
  };
  const partitionOf = (name: string, partition: number): IncomingRecord[] =>
    topicOf(name)[partition] as IncomingRecord[];

  const log: MemoryLog = {
    clock: Date.now,
    records: (topic, partition) => partitionOf(topic, partition),
    partitionOf: (key) => hashOf(key) % partitions,

    async producer(): Promise<LogProducer> {
      return {
        async append(records: readonly OutgoingRecord[]): Promise<readonly Appended[]> {
          // The reply comes in a later turn, as from a broker.
          await new Promise((resolve) => setImmediate(resolve));
          const results = records.map((record) => {
            const partition = record.partition ?? log.partitionOf(record.key);
            const kept = partitionOf(record.topic, partition);
            const offset = kept.length;
            const { key, value, headers = {} } = record;
            kept.push({ offset, timestamp: log.clock(), key, value, headers });
            return { topic: record.topic, partition, offset };
          });
          for (const wake of wakers) wake();
          return results;
        },
        async close() {},
      };
    },

    async subscribe(options: SubscriptionOptions): Promise<Subscription> {
      let open = true;
      let stop: () => void = () => {};
      const stopped = new Promise<void>((resolve) => {
        stop = resolve;
      });
      const wakes: (() => void)[] = [];
      const wake = () => {
        for (const resume of wakes.splice(0)) resume();
      };
      wakers.add(wake);
      const assigned = options.topics.flatMap((topic) =>
        topicOf(topic).map((_, partition) => ({ topic, partition, handler: options.lane(topic, partition) })),
      );
      const run = async ({ topic, partition, handler }: { topic: string; partition: number; handler: LaneHandler }) => {
        let next = await handler.open();
        while (open) {
          const kept = partitionOf(topic, partition);
          if (next >= kept.length) {
            await Promise.race([new Promise<void>((resolve) => wakes.push(resolve)), stopped]);
            continue;
          }
          const batch = kept.slice(next, next + batchRecords);
          let sought: number | undefined;
          const context: LaneContext = {
            highWatermark: kept.length,
            isOwned: () => open,
            heartbeat: async () => {},
            seek: (offset) => {
              sought = offset;
            },
          };
          await handler.batch(batch, context);
          next = sought ?? next + batch.length;
        }
        await handler.close();
      };
      let failed = false;
      const lanes = assigned.map((lane) =>
        run(lane).catch((error: Error) => {
          open = false;
          stop();
          if (!failed) options.onFailure(error);
          failed = true;
        }),
      );
      return {
        assignment: () => assigned.map(({ topic, partition }) => ({ topic, partition })),
        idleMilliseconds: () => 0,
        async close() {
          open = false;
          stop();
          wakers.delete(wake);
          await Promise.all(lanes);
        },
      };
    },

    async watermarks(topic) {
      const kept = topics.get(topic);
      if (!kept) throw new TributaryError("TRIB_LOG_TOPIC_MISSING", undefined, { topic });
      return kept.map((records, partition) => ({ partition, low: 0, high: records.length }));
    },

    async offsetsAfter(topic, instant) {
      return topicOf(topic).map((records, partition) => {
        const first = records.findIndex(({ timestamp }) => timestamp > instant);
        return { partition, offset: first < 0 ? records.length : first };
      });
    },

    async *read(topic, partition, from, to) {
      const kept = partitionOf(topic, partition).slice(from, to);
      for (let at = 0; at < kept.length; at += batchRecords) yield kept.slice(at, at + batchRecords);
    },

    async close() {},
  };
  return log;
}

/** Spreads keys over partitions. Not Kafka's murmur2: which partition a key gets must not matter to anyone. */
function hashOf(key: string): number {
  let hash = 7;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) >>> 0;
  return hash;
}
