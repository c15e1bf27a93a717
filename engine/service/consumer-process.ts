import { isDelivering } from "../delivery/registration.js";
import { codecOfOthers } from "../log/codec-of-others.js";
import { connectCodec } from "../log/registry.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import { FoldWatchdog } from "../projector/fold-watch.js";
import type { Decoder } from "../projector/ports.js";
import { runConsumer } from "../projector/runner.js";
import type { ConsumerDefinition } from "./consumer.js";
import { consumerConnections, consumerOpener } from "./consumer-connections.js";
import { decoderOf } from "./decoder.js";
import { loadConsumer } from "./discover.js";
import type { RunningService, Surroundings } from "./process.js";

/** A consumer at work. DATABASE_URL is that of its own role; `prepareConsumer` has made builds and role before. */
export async function startConsumer(name: string, surroundings: Surroundings): Promise<RunningService> {
  const definition = await loadConsumer(name);
  if (isDelivering(definition)) {
    const { startDeliveryProcess } = await import("./delivery-process.js");
    return startDeliveryProcess(definition, surroundings);
  }
  if (!definition.notarize) return startDefinition(definition, surroundings);
  const { startNotaryProcess } = await import("./notary-process.js");
  return startNotaryProcess(definition, surroundings);
}

/** The same for a projecting definition at hand. */
export async function startDefinition(
  definition: ConsumerDefinition,
  { settings, logger, metrics, fail }: Surroundings,
): Promise<RunningService> {
  const { name } = definition;
  const connections = consumerConnections(name, settings, logger);
  const { log, pool } = connections;
  const codec = await connectCodec(settings);
  const opener = consumerOpener(definition, pool, settings, codec);
  const watchdog = new FoldWatchdog(settings.FOLD_SECONDS, name);
  const running = await runConsumer({
    definition,
    log,
    pool,
    decoder: decoderOf(codec),
    // The projection names the types it folds; whatever else is in the topic is of no interest.
    decoderOfOthers: codecOfOthers(settings) as Decoder,
    opener,
    logger,
    metrics,
    decisionLog: auditDecisions(log, codec),
    watchdog,
    parkedLimit: settings.PROJECTION_PARKED_LIMIT,
    onFailure: fail,
  });
  return {
    live: () => running.live(),
    ready: () => running.ready(),
    state: () => running.state(),
    async close() {
      await running.close();
      await watchdog.close();
      opener.close();
      await connections.close();
    },
  };
}
