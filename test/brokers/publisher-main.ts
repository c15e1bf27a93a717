import { startPublisher } from "../../engine/intake/publisher.js";
import { standaloneCodec } from "../../engine/log/codec.js";
import { connectLog } from "../../engine/log/kafka.js";
import { readJournalId } from "../../engine/log/topics.js";
import { createLogger } from "../../engine/service/logger.js";
import { readSettings, requireSetting } from "../../engine/service/settings.js";
import { openPool } from "../../engine/store/pool.js";

/**
 * The publisher as a process of its own that can be killed and frozen; without a registry, and with small batches so
 * that more of them are under way when something happens. Writes a line when it has begun, and one for its failure.
 */
const settings = readSettings();
const log = connectLog(settings, { clientId: "tributary-publisher", logger: createLogger("publisher", "silent") });
const fail = (error: unknown) => {
  const code = (error as { code?: unknown }).code ?? String(error);
  process.stdout.write(`failed ${code}\n`, () => process.exit(70));
};
process.on("unhandledRejection", fail);
try {
  await startPublisher({
    log,
    pool: openPool(requireSetting(settings, "DATABASE_URL"), { applicationName: "tributary publisher", max: 4 }),
    codec: standaloneCodec(),
    journal: await readJournalId(log),
    batchEntries: 20,
    onFailure: fail,
  });
  process.stdout.write("begun\n");
} catch (error) {
  fail(error);
}
