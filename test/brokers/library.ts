import { appendVerified, type PartitionBatch, type PlacedRecord } from "../../engine/log/append.js";
import { kafkaClient } from "../../engine/log/connection.js";
import type { LogProducer } from "../../engine/log/log.js";
import { partitionOf } from "../../engine/log/murmur2.js";
import { sendThrough } from "../../engine/log/producer.js";
import { createLogger } from "../../engine/service/logger.js";
import type { Settings } from "../../engine/service/settings.js";

/** Producers over the client library as it comes: with retries of its own, which keep replies by broker. */
export interface LibraryProducers {
  /** Believes the library: what was sent without an error counts as appended. */
  readonly trusting: LogProducer;
  /** Counts as appended what a reply names, as the engine's own producer does. */
  readonly verified: LogProducer;
  /** Sends of the library that ended well and yet left a partition out. */
  leftOut(): number;
  close(): Promise<void>;
}

/** @param partitions of every topic. */
export async function libraryProducers(settings: Settings, partitions: number): Promise<LibraryProducers> {
  const library = kafkaClient(settings, "spec-library", createLogger("spec", "silent")).producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  await library.connect();
  const through = sendThrough(library, settings.TOPIC_PREFIX);
  let left = 0;
  const send = async (batches: readonly PartitionBatch[]) => {
    const replies = await through(batches);
    const named = new Set(replies.map(({ topic, partition }) => `${topic}/${partition}`));
    if (batches.some(({ topic, partition }) => !named.has(`${topic}/${partition}`))) left++;
    return replies;
  };
  const place = (records: Parameters<LogProducer["append"]>[0]): PlacedRecord[] =>
    records.map((record) => ({ ...record, partition: record.partition ?? partitionOf(record.key, partitions) }));
  return {
    trusting: {
      async append(records) {
        const batches = new Map<string, PlacedRecord[]>();
        const placed = place(records);
        for (const record of placed) {
          const key = `${record.topic}/${record.partition}`;
          batches.set(key, [...(batches.get(key) ?? []), record]);
        }
        await send([...batches.values()].map((own) => ({ ...own[0]!, records: own })));
        return placed.map(({ topic, partition }) => ({ topic, partition, offset: -1 }));
      },
      close: async () => {},
    },
    verified: {
      append: (records) =>
        appendVerified(place(records), { send, retriable: () => true, deadline: Date.now() + 20_000 }),
      close: async () => {},
    },
    leftOut: () => left,
    close: () => library.disconnect(),
  };
}
