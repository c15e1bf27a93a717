import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { standaloneCodec } from "../log/codec.js";
import { connectLog } from "../log/kafka.js";
import { serveFill, type ThreadShare } from "../replay/fill-thread.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { readSettings } from "../service/settings.js";
import { openPool } from "../store/pool.js";
import { notes } from "./notes.js";
import { inPieces } from "./notes-history.js";

// A thread that fills builds of the projection `notes`, with the settings of the environment.
const share = workerData as ThreadShare;
const settings = readSettings();
const logger = createLogger("notes", "silent");
const codec = standaloneCodec();
const log = connectLog(settings, { clientId: "notes", logger });
const pool = openPool(settings.DATABASE_URL as string, { applicationName: "tributary spec", max: 4 });
try {
  await serveFill(parentPort as MessagePort, share, {
    projection: notes,
    build: share.build,
    log: inPieces(log),
    pool,
    decoder: { decodeEvent: (value) => codec.decodeEvent(value), learn: async () => {} },
    opener: closedOpener,
    logger,
    parkedLimit: settings.PROJECTION_PARKED_LIMIT,
  });
} finally {
  await log.close();
  await pool.end();
}
