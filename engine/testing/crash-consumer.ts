import type { Log } from "../log/log.js";
import type { Decision } from "../projector/decisions.js";
import { runConsumer } from "../projector/runner.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { openPool } from "../store/pool.js";
import { crashPorts, crashProjection } from "./crash-projection.js";
import { CallSeam, countedDecoder, countedLog, countedOpener, countedPool } from "./failpoints.js";
import type { MemoryLog } from "./memory-log.js";
import { memoryDecisions } from "./projection-bench.js";

const crashConsumer: ConsumerDefinition = { name: "crash", project: [crashProjection] };

/** A subscription that tells when every partition has been read, and handled, to its end. */
function untilRead(log: MemoryLog): {
  readonly log: Pick<Log, "subscribe" | "read" | "watermarks">;
  readonly read: Promise<void>;
} {
  const left = new Set<string>();
  let end: () => void = () => {};
  const read = new Promise<void>((resolve) => {
    end = resolve;
  });
  const reached = (topic: string, partition: number, next: number) => {
    if (next >= log.records(topic, partition).length) left.delete(`${topic}/${partition}`);
    if (left.size === 0) end();
  };
  return {
    read,
    log: {
      read: log.read,
      watermarks: log.watermarks,
      subscribe: (options) =>
        log.subscribe({
          ...options,
          lane(topic, partition) {
            const lane = options.lane(topic, partition);
            left.add(`${topic}/${partition}`);
            return {
              async open() {
                const next = await lane.open();
                reached(topic, partition, next);
                return next;
              },
              async batch(records, context) {
                let next = (records.at(-1)?.offset ?? -1) + 1;
                await lane.batch(records, {
                  ...context,
                  seek(offset) {
                    next = offset;
                    context.seek(offset);
                  },
                });
                reached(topic, partition, next);
              },
              close: () => lane.close(),
            };
          },
        }),
    },
  };
}

/** What runs, and under which circumstances. */
export interface CrashRun {
  /** Default: the consumer of {@link crashProjection}. */
  readonly definition?: ConsumerDefinition;
  readonly forgotten?: ReadonlySet<string>;
  readonly decided?: readonly Decision[];
}

/** Runs a consumer until it has read all of a log, then closes it in order. */
export async function runCrashConsumer(
  databaseUrl: string,
  memory: MemoryLog,
  seam = new CallSeam(),
  { definition = crashConsumer, forgotten, decided }: CrashRun = {},
): Promise<void> {
  const pool = openPool(databaseUrl, { applicationName: "tributary crash", max: 4 });
  const { log, read } = untilRead(memory);
  const { decoder, opener } = crashPorts(forgotten);
  const silent = () => {};
  let fail: (error: Error) => void = silent;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  try {
    const running = await runConsumer({
      definition,
      ...(decided ? { decisionLog: memoryDecisions([...decided]) } : {}),
      log: countedLog(log, seam),
      pool: countedPool(pool, seam),
      decoder: countedDecoder(decoder, seam),
      opener: countedOpener(opener, seam),
      logger: { info: silent, warn: silent, error: silent },
      onFailure: fail,
      // Fewer than there are keys, so that rows are read again.
      cacheRows: 4,
    });
    await Promise.race([read, failed]);
    await running.close();
  } finally {
    await pool.end();
  }
}
