import { auditDeliveries } from "../delivery/delivery-log.js";
import { runDelivery } from "../delivery/runner.js";
import { connectLog } from "../log/kafka.js";
import { connectCodec } from "../log/registry.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import { decoderOf } from "../service/decoder.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { readSettings } from "../service/settings.js";
import { openPool } from "../store/pool.js";
import { acme, specCredentials } from "./delivery-bench.js";

/** What a process that delivers to a spec's endpoint is told; its parent sends it once, and ends it. */
export interface DeliveryTask {
  readonly url: string;
  readonly databaseUrl: string;
  readonly topicPrefix: string;
}

process.once("message", async (task: DeliveryTask) => {
  // A process whose parent is gone has nobody to work for.
  process.once("disconnect", () => process.exit(70));
  const logger = createLogger("delivery", "info");
  const fail = (error: unknown) => {
    logger.fatal({ err: error }, "stopped by a failure");
    process.exit(70);
  };
  const settings = { ...readSettings(), TOPIC_PREFIX: task.topicPrefix };
  const log = connectLog(settings, { clientId: "delivery", logger });
  const codec = await connectCodec(settings);
  const definition = acme(task.url);
  await runDelivery({
    definition,
    log,
    pool: openPool(task.databaseUrl, { applicationName: "tributary spec" }),
    decoder: decoderOf(codec),
    opener: closedOpener,
    sender: definition.deliver.to.open(specCredentials),
    logger,
    decisionLog: auditDecisions(log, codec),
    deliveryLog: auditDeliveries(log, codec),
    backoff: { shortest: 50, longest: 200 },
    onFailure: fail,
  }).catch(fail);
});
