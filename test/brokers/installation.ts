import { setTimeout as pause } from "node:timers/promises";
import { standaloneCodec } from "../../engine/log/codec.js";
import { openJournal } from "../../engine/log/genesis.js";
import type { IncomingRecord, Log } from "../../engine/log/log.js";
import { type OwnTopics, ownTopics } from "../../engine/log/own-topics.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { TributaryError } from "../../engine/service/errors.js";
import type { ThreeBrokers } from "./cluster.js";

/** Topics of an installation on three brokers: three replicas, of which two must have what is acknowledged. */
export interface SpreadTopics extends OwnTopics {
  readonly codec: ReturnType<typeof standaloneCodec>;
  readonly partitions: number;
}

export async function spreadTopics(
  brokers: ThreeBrokers,
  topics: readonly string[],
  partitions: number,
): Promise<SpreadTopics> {
  const own = await ownTopics({
    KAFKA_BROKERS: brokers.addresses,
    TOPIC_REPLICATION: 3,
    TOPIC_PARTITIONS: partitions,
  });
  for (const topic of topics) {
    await own.create(topic, partitions, {
      "min.insync.replicas": "2",
      "message.timestamp.type": "LogAppendTime",
      "retention.ms": "-1",
    });
  }
  return { ...own, codec: standaloneCodec(), partitions };
}

/** Gives the journal of such an installation its id. */
export const openSpreadJournal = ({ log, codec }: SpreadTopics): Promise<string> => openJournal(log, codec);

const readableMilliseconds = 15_000;

/** All that a partition holds; while it has no leader it is asked again. */
export async function recordsOf(log: Log, topic: string, partition: number, from = 0): Promise<IncomingRecord[]> {
  const until = Date.now() + readableMilliseconds;
  for (;;) {
    try {
      const mark = (await log.watermarks(topic)).find((each) => each.partition === partition);
      const records: IncomingRecord[] = [];
      for await (const batch of log.read(topic, partition, from, mark?.high ?? 0)) records.push(...batch);
      return records;
    } catch (error) {
      if (!(error instanceof TributaryError) || !error.definition.retriable || Date.now() > until) throw error;
      await pause(100);
    }
  }
}

/** The journal's entries, decoded, of every partition. */
export async function entriesOf({ log, codec, partitions }: SpreadTopics) {
  const all = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => recordsOf(log, journalTopic, partition)),
  );
  return all.map((records) => records.map(({ value }) => codec.decodeEntry(value as Buffer)));
}
