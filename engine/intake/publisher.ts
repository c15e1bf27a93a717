import { hostname } from "node:os";
import type { Log, Subscription } from "../log/log.js";
import { entities, eventsTopic, journalTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import type { EntryCodec } from "./decode-entries.js";
import { PublisherLane, type PublisherLaneOptions } from "./publisher-lane.js";
import { keepPartitions } from "./topic-partitions.js";

export interface PublisherOptions {
  readonly log: Log;
  readonly pool: Pool;
  readonly codec: EntryCodec;
  /** Id of the journal, as `readJournalId` gives it. */
  readonly journal: string;
  /** Called once when it ends by itself; the process must exit. */
  readonly onFailure: (error: Error) => void;
  readonly onRetry?: PublisherLaneOptions["onRetry"];
  readonly onPublished?: PublisherLaneOptions["onPublished"];
  /** Shown in the checkpoints' rows; default host and process id. */
  readonly owner?: string;
  /** Entries decided, sent and acknowledged together; default 1,000. */
  readonly batchEntries?: number;
  /** Milliseconds that a lost fence may go unexplained; default 30,000. */
  readonly fencePatience?: number;
}

export interface Publisher {
  readonly subscription: Subscription;
  /** Finishes the batches in hand and leaves the group. Log and pool stay open. */
  close(): Promise<void>;
}

/** Group id, without the installation's prefix. */
export const publisherGroup = "tributary.publisher";

/**
 * Reads the journal and sends each entry's events to their topics, in order, once by position. Knows no partner and no
 * format. Any number of processes may run it: they share the journal's partitions.
 * @throws TRIB_LOG_PARTITIONS_CHANGED when the journal or a topic of events has another number of partitions than it had.
 */
export async function startPublisher(options: PublisherOptions): Promise<Publisher> {
  const { log, pool, codec, journal } = options;
  const topics = [journalTopic, ...entities.map(eventsTopic)];
  const producer = await log.producer(await keepPartitions(log, pool, topics));
  const subscription = await log.subscribe({
    group: publisherGroup,
    topics: [journalTopic],
    onFailure: options.onFailure,
    lane: (_topic, partition) =>
      new PublisherLane({
        pool,
        producer,
        codec,
        journal,
        partition,
        owner: options.owner ?? `${hostname()}/${process.pid}`,
        batchEntries: options.batchEntries ?? 1_000,
        retryPause: 100,
        fencePatience: options.fencePatience ?? 30_000,
        onRetry: options.onRetry ?? (() => {}),
        onPublished: options.onPublished ?? (() => {}),
      }),
  });
  return {
    subscription,
    async close() {
      await subscription.close();
      await producer.close();
    },
  };
}
