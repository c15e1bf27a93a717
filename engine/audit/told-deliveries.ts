import type { DeliveriesRecorded, DeliveryMade } from "../../schemas/audit/audit.generated.js";
import { deliveryIdOf } from "../delivery/cloud-event.js";
import { isOfDeliveries } from "../delivery/delivery-log.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { auditTopic } from "../log/schemas.js";
import type { DeliveryRow } from "./deliveries.js";
import { readable } from "./readable-record.js";

/** Reads what consumers recorded in the audit topic of what they sent. */
export interface DeliverySource {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly codec: Pick<Codec, "decode">;
}

function rowOf(
  { consumer, destination, topic, partition }: DeliveriesRecorded,
  { status, bodySha256, ...made }: DeliveryMade,
): DeliveryRow {
  return {
    ...made,
    topic,
    partition,
    consumer,
    destination,
    deliveryId: deliveryIdOf(consumer, made.eventId),
    status: status === "UNKNOWN" ? "waiting" : (status.toLowerCase() as DeliveryRow["status"]),
    bodySha256: bodySha256.toString("hex"),
  };
}

/**
 * Deliveries as consumers recorded them before they wrote them into the database, batch by batch: of one that was tried
 * again there may be several. A batch that was recorded again counts once.
 */
export async function* toldDeliveries({ log, codec }: DeliverySource): AsyncIterable<readonly DeliveryRow[]> {
  const seen = new Set<string>();
  for (const { partition, low, high } of await log.watermarks(auditTopic)) {
    for await (const records of log.read(auditTopic, partition, low, high)) {
      for (const { key, value } of records) {
        if (!value || !isOfDeliveries(key)) continue;
        const found = readable(codec, value);
        if (found?.type !== "DeliveriesRecorded" || seen.has(found.value.meta.id)) continue;
        seen.add(found.value.meta.id);
        const recorded = found.value as unknown as DeliveriesRecorded;
        yield recorded.deliveries.map((made) => rowOf(recorded, made));
      }
    }
  }
}
