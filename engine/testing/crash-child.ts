import { startPublisher } from "../intake/publisher.js";
import { standaloneCodec } from "../log/codec.js";
import { journalTopic } from "../log/schemas.js";
import { loadConsumer } from "../service/discover.js";
import { TributaryError } from "../service/errors.js";
import { openPool } from "../store/pool.js";
import { runCrashConsumer } from "./crash-consumer.js";
import type { BrokerCall, ChildResult, ChildWork } from "./crash-process.js";
import { runCrashRebuild } from "./crash-rebuild.js";
import { CallSeam, countedLog, countedPool, countedProducer } from "./failpoints.js";
import { type MemoryLog, memoryLog } from "./memory-log.js";

/**
 * A program that runs a consumer or the publisher once over a log that it is given, through the seam that counts its
 * calls, and dies where the setting TRIBUTARY_FAIL_POINT says, or ends and tells the calls that it made.
 */

async function filled({ partitions, batchRecords, records }: ChildWork): Promise<MemoryLog> {
  const log = memoryLog({ partitions, batchRecords });
  const producer = await log.producer();
  for (const { timestamp, ...record } of records) {
    log.clock = () => timestamp;
    await producer.append([record]);
  }
  return log;
}

/** Records go to the parent process: what was sent stays there whatever becomes of this one. */
function brokerProducer() {
  let asked = 0;
  const waiting = new Map<number, () => void>();
  process.on("message", (message: { readonly appended: number }) => waiting.get(message.appended)?.());
  return {
    append: (records: BrokerCall["append"]) =>
      new Promise<[]>((resolve) => {
        asked++;
        waiting.set(asked, () => resolve([]));
        process.send?.({ number: asked, append: records } satisfies BrokerCall);
      }),
    close: async () => {},
  };
}

async function publish(work: ChildWork, log: MemoryLog, seam: CallSeam): Promise<void> {
  const pool = openPool(work.databaseUrl, { applicationName: "tributary crash", max: 4 });
  const codec = standaloneCodec();
  let learned = false;
  let end: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  const left = new Set(Array.from({ length: work.partitions }, (_, partition) => partition));
  const ended = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const publisher = await startPublisher({
    log: {
      ...countedLog(log, seam),
      producer: async () =>
        countedProducer(brokerProducer(), seam, (records) => {
          const [first] = records;
          return records.filter(({ key }) => log.partitionOf(key) === log.partitionOf(first?.key ?? ""));
        }),
    },
    pool: countedPool(pool, seam),
    codec: {
      decodeEntry(value) {
        if (!learned) throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", undefined, { schemaId: 1 });
        return codec.decodeEntry(value);
      },
      learn: () =>
        seam.pass("schema look-up", async () => {
          learned = true;
        }),
    },
    journal: work.journal,
    owner: "crash",
    batchEntries: work.batchRecords,
    onFailure: fail,
    onPublished({ partition, nextOffset }) {
      if (nextOffset === log.records(journalTopic, partition).length) left.delete(partition);
      if (left.size === 0) end();
    },
  });
  await ended;
  await publisher.close();
  await pool.end();
}

/** A consumer at work, or a rebuild of one of its read models. */
async function project({ consumer, ...work }: ChildWork, log: MemoryLog, seam: CallSeam): Promise<void> {
  const definition = consumer === undefined ? undefined : await loadConsumer(consumer);
  const given = {
    forgotten: new Set(work.forgotten),
    ...(work.decided ? { decided: work.decided } : {}),
    ...(definition ? { definition } : {}),
  };
  if (work.kind === "consumer") return runCrashConsumer(work.databaseUrl, log, seam, given);
  const projection = definition?.project.find(({ name }) => name === work.projection) ?? definition?.project[0];
  return runCrashRebuild(work.databaseUrl, log, seam, {
    ...given,
    ...(projection ? { projection } : {}),
    ...(consumer === undefined ? {} : { consumer }),
    ...(work.whole ? { whole: true } : {}),
    ...(work.memoryBytes === undefined ? {} : { memoryBytes: work.memoryBytes }),
  });
}

process.once("message", async (work: ChildWork) => {
  const seam = CallSeam.ofEnvironment();
  const log = await filled(work);
  if (work.kind === "publisher") await publish(work, log, seam);
  else await project(work, log, seam);
  process.send?.({ calls: seam.calls } satisfies ChildResult, () => process.exit(0));
});
