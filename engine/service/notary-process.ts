import { join } from "node:path";
import { notaryKey } from "../audit/checkpoint.js";
import { startNotary } from "../audit/notary.js";
import { SecondPlace } from "../audit/second-place.js";
import { readJournalId } from "../log/topics.js";
import type { ConsumerDefinition } from "./consumer.js";
import { consumerConnections } from "./consumer-connections.js";
import type { RunningService, Surroundings } from "./process.js";
import { requireSetting, type Settings } from "./settings.js";

/** Where the notary exports to, and `audit verify` looks. */
export const notaryFolder = ({ NOTARY_FOLDER, TRIBUTARY_HOME }: Settings): string =>
  NOTARY_FOLDER ?? join(TRIBUTARY_HOME, "notary");

/** The notary at work. DATABASE_URL is that of its own role. */
export async function startNotaryProcess(
  definition: ConsumerDefinition,
  { settings, logger, metrics, fail }: Surroundings,
): Promise<RunningService> {
  const { name, notarize = { topics: [] } } = definition;
  const key = notaryKey(requireSetting(settings, "TRIBUTARY_NOTARY_KEY"));
  const connections = consumerConnections(name, settings, logger);
  const { log, pool } = connections;
  const running = await startNotary({
    definition: { name, notarize },
    log,
    pool,
    journal: await readJournalId(log),
    key,
    second: new SecondPlace(notaryFolder(settings)),
    logger,
    metrics,
    signMilliseconds: settings.NOTARY_SECONDS * 1000,
    onFailure: fail,
  });
  return {
    ...running,
    async close() {
      await running.close();
      await connections.close();
    },
  };
}
