import { startPublisher as openPublisher } from "../intake/publisher.js";
import { connectLog } from "../log/kafka.js";
import { connectCodec } from "../log/registry.js";
import { readJournalId } from "../log/topics.js";
import { openPool } from "../store/pool.js";
import type { RunningService, Surroundings } from "./process.js";
import { requireSetting } from "./settings.js";

/** A member that hears nothing from its broker for this long is no longer alive. */
const deadAfterMilliseconds = 90_000;

/** The publisher at work: journal to event topics. Any number of them may run. */
export async function startPublisher({ settings, logger, metrics, fail }: Surroundings): Promise<RunningService> {
  const log = connectLog(settings, { clientId: "tributary-publisher", logger });
  const pool = openPool(requireSetting(settings, "DATABASE_URL"), {
    applicationName: "tributary publisher",
    max: settings.DATABASE_POOL,
    silence: settings.DATABASE_SILENCE_SECONDS * 1000,
  });
  const publisher = await openPublisher({
    log,
    pool,
    codec: await connectCodec(settings),
    journal: await readJournalId(log),
    onFailure: fail,
    onRetry: (error, partition) => logger.warn({ err: error, partition }, "waiting to publish"),
    onPublished({ partition, events, resends }) {
      metrics.count("tributary_published_events_total", { partition }, events);
      metrics.count("tributary_resends_total", { partition }, resends);
    },
  });
  const { subscription } = publisher;
  return {
    live: () => subscription.idleMilliseconds() < deadAfterMilliseconds,
    ready: () => subscription.assignment().length > 0,
    state: () => ({ assignment: subscription.assignment() }),
    async close() {
      await publisher.close();
      await log.close();
      await pool.end();
    },
  };
}
