import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { codecOfOthers } from "../engine/log/codec-of-others.js";
import { connectLog } from "../engine/log/kafka.js";
import type { Decoder } from "../engine/projector/ports.js";
import { serveFill, type ThreadShare } from "../engine/replay/fill-thread.js";
import { createLogger } from "../engine/service/logger.js";
import { closedOpener } from "../engine/service/sealed-opener.js";
import { readSettings } from "../engine/service/settings.js";
import { openPool } from "../engine/store/pool.js";
import { contender } from "./contender/visits.js";

// One more thread of a measured fill; what it is given as projection is the topic that the contender reads.
const share = workerData as ThreadShare;
const [projection] = contender(share.projection).project;
const settings = readSettings();
const logger = createLogger("bench", "warn");
const log = connectLog(settings, { clientId: "tributary-bench", logger });
const pool = openPool(settings.DATABASE_URL as string, { applicationName: "tributary bench" });
const decoder = codecOfOthers(settings) as Decoder;
await serveFill(parentPort as MessagePort, share, {
  projection: projection as never,
  build: share.build,
  log,
  pool,
  decoder,
  opener: closedOpener,
  logger,
});
await log.close();
await pool.end();
