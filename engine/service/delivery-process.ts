import { join } from "node:path";
import { auditDeliveries } from "../delivery/delivery-log.js";
import type { DeliveringConsumer } from "../delivery/registration.js";
import { runDelivery } from "../delivery/runner.js";
import { connectCodec } from "../log/registry.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import { type Credentials, credentialsIn } from "../reception/credentials.js";
import { consumerConnections, consumerOpener } from "./consumer-connections.js";
import { decoderOf } from "./decoder.js";
import type { RunningService, Surroundings } from "./process.js";
import type { Settings } from "./settings.js";

/** Where delivering consumers have their secrets. */
const deliveryCredentials = ({ DELIVERY_CREDENTIALS, TRIBUTARY_HOME }: Settings): Credentials =>
  credentialsIn(DELIVERY_CREDENTIALS ?? join(TRIBUTARY_HOME, "credentials"));

/** A delivering consumer at work. DATABASE_URL is that of its own role; `prepareDelivery` has made that before. */
export async function startDeliveryProcess(
  definition: DeliveringConsumer,
  { settings, logger, metrics, fail }: Surroundings,
): Promise<RunningService> {
  const { name, deliver } = definition;
  // A secret that is missing is found before any event is read.
  const sender = deliver.to.open(deliveryCredentials(settings));
  const connections = consumerConnections(name, settings, logger);
  const { log, pool } = connections;
  const codec = await connectCodec(settings);
  const opener = consumerOpener(definition, pool, settings, codec);
  const running = await runDelivery({
    definition,
    log,
    pool,
    decoder: decoderOf(codec),
    opener,
    sender,
    logger,
    metrics,
    decisionLog: auditDecisions(log, codec),
    deliveryLog: auditDeliveries(log, codec),
    parkedLimit: settings.PROJECTION_PARKED_LIMIT,
    window: settings.DELIVERY_WINDOW,
    longestSeconds: settings.DELIVERY_PATIENCE_SECONDS,
    onFailure: fail,
  });
  return {
    ...running,
    async close() {
      await running.close();
      opener.close();
      await connections.close();
    },
  };
}
