import type { Logger } from "pino";
import { fetchPartition } from "./direct-fetch.js";
import { type Cluster, libraryBatch } from "./kafkajs-internals.js";

export interface GapParts {
  readonly cluster: () => Promise<Cluster>;
  readonly logger: Logger;
}

/**
 * Whether a partition has a record that a consumer is shown from one offset up to another. The broker's own records, those
 * of aborted transactions and those compacted away are none.
 * @param topic with the installation's prefix.
 * @returns true also when it can't be found out: who asks reads again from there.
 */
export async function holdsRecords(
  topic: string,
  partition: number,
  from: number,
  to: number,
  { cluster, logger }: GapParts,
): Promise<boolean> {
  try {
    const connected = await cluster();
    await connected.addTargetTopic(topic);
    for (let position = from; position < to; ) {
      const fetched = await fetchPartition(connected, topic, partition, position);
      const batch = fetched && libraryBatch(topic, position, fetched);
      if (!batch || batch.rawMessages.length === 0) return true;
      const first = batch.messages[0];
      if (first) return Number(first.offset) < to;
      position = Math.max(position, Number(batch.lastOffset())) + 1;
    }
    return false;
  } catch (error) {
    logger.warn(
      { err: error, topic, partition, from, to },
      "it can't be found out whether records lie between; reading again",
    );
    return true;
  }
}
