import { connectLog } from "../log/kafka.js";
import type { FoldInput } from "../projector/fold.js";
import { runConsumer } from "../projector/runner.js";
import { TributaryError } from "../service/errors.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { readSettings } from "../service/settings.js";
import { openPool, type Pool } from "../store/pool.js";
import { notes, topic } from "./notes.js";
import { ProjectionBench } from "./projection-bench.js";

/** What a process for the projection `notes` has to do; its parent sends it once. */
export type NotesTask =
  /** A lane over partition 0 of a log in memory, on the latest build, until the log ends or the lane is lost. */
  | {
      readonly kind: "lane";
      readonly directUrl: string;
      readonly databaseUrl: string;
      readonly inputs: readonly FoldInput[];
      readonly batch: number;
    }
  /** A consumer on Kafka, with the settings of the environment, until its parent ends it. Values are events in JSON. */
  | { readonly kind: "consumer"; readonly databaseUrl: string; readonly topicPrefix: string };

/** What a lane's process tells before it ends. */
export interface NotesReport {
  readonly messages: readonly string[];
}

const { exitCode } = new TributaryError("TRIB_PROJECT_FENCE_LOST").definition;
const isLost = (message: string) => message.startsWith("another process has taken over");

async function runLane(task: NotesTask & { kind: "lane" }, pool: Pool): Promise<number> {
  const direct = openPool(task.directUrl, { applicationName: "tributary spec" });
  const bench = await ProjectionBench.create(notes, direct);
  await direct.end();
  bench.append(task.inputs);
  const records = bench.recordsOf(topic, 0);
  const lane = bench.lane(topic, 0, { pool, cacheRows: 3 });
  let lost = false;
  for (let from = await lane.open(); from < records.length && !lost; from += task.batch) {
    // Each batch is the end of the log as it is then, so that each is a statement.
    await lane.batch(
      records.slice(from, from + task.batch),
      bench.context(Math.min(from + task.batch, records.length)),
    );
    lost = bench.messages.some(isLost);
  }
  await lane.close();
  const report: NotesReport = { messages: bench.messages };
  await new Promise((resolve) => process.send?.(report, resolve));
  return lost ? exitCode : 0;
}

async function consume(task: NotesTask & { kind: "consumer" }, pool: Pool): Promise<void> {
  const logger = createLogger("notes", "info");
  const settings = { ...readSettings(), TOPIC_PREFIX: task.topicPrefix };
  const fail = (error: unknown) => {
    logger.fatal({ err: error }, "stopped by a failure");
    process.exit(70);
  };
  const log = connectLog(settings, { clientId: "notes", logger });
  const running = await runConsumer({
    definition: { name: "notes", project: [notes] },
    log,
    pool,
    decoder: {
      decodeEvent: (value) => {
        const { type, event } = JSON.parse(String(value)) as FoldInput;
        return { type, event: { ...event, sealed: null } };
      },
      learn: async () => {},
    },
    opener: closedOpener,
    logger,
    onFailure: fail,
  });
  process.once("SIGTERM", () => {
    running
      .close()
      .then(() => log.close())
      .then(() => process.exit(0), fail);
  });
}

process.once("message", (task: NotesTask) => {
  const pool = openPool(task.databaseUrl, { applicationName: "tributary spec" });
  // A process whose parent is gone has nobody to work for.
  process.once("disconnect", () => process.exit(70));
  if (task.kind === "consumer") void consume(task, pool);
  else void runLane(task, pool).then((code) => process.exit(code));
});
