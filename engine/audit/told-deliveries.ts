import type { DeliveriesRecorded, DeliveryMade } from "../../schemas/audit/audit.generated.js";
import { deliveryIdOf } from "../delivery/cloud-event.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { deliveriesTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import type { RecordPlace } from "./read-places.js";
import { readable } from "./readable-record.js";
import { RecentlySeen } from "./recently-seen.js";

/** What was sent to a partner of an event, by the log or by the database. Instants are epoch milliseconds. */
export interface KnownDelivery extends RecordPlace {
  readonly eventId: string;
  readonly eventType: string;
  /** The consumer that delivers: whom it is for. */
  readonly consumer: string;
  /** Kind and origin of the address. */
  readonly destination: string;
  /** The same at every attempt. */
  readonly deliveryId: string;
  /** waiting: it is tried again. refused: the partner will not have it. unanswered: given up. In the first and last it may have it. */
  readonly status: "delivered" | "waiting" | "refused" | "unanswered";
  readonly attempts: number;
  /** Whether content that identifies people was opened for it. */
  readonly opened: boolean;
  /** Whether the partner may have been sent any of it: false where no connection came about. */
  readonly sent: boolean;
  readonly firstAttemptAt: number;
  readonly lastAttemptAt: number;
  /** HTTP status of the last answer; null when there was none. */
  readonly responseCode: number | null;
  /** SHA-256 of the body as it was sent last, in hexadecimal: the partner can compute it of what it has. */
  readonly bodySha256: string;
}

/** Reads what consumers recorded in the log of what they sent. */
export interface DeliverySource {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly codec: Pick<Codec, "decode">;
}

/** Where deliveries are known from. @param pool as a role that sees those of all consumers. */
export type DeliveriesSource = DeliverySource & { readonly pool: Pool };

function rowOf(
  { consumer, destination, topic, partition }: DeliveriesRecorded,
  { status, bodySha256, ...made }: DeliveryMade,
): KnownDelivery {
  return {
    ...made,
    topic,
    partition,
    consumer,
    destination,
    deliveryId: deliveryIdOf(consumer, made.eventId),
    status: status === "UNKNOWN" ? "waiting" : (status.toLowerCase() as KnownDelivery["status"]),
    bodySha256: bodySha256.toString("hex"),
  };
}

/**
 * Deliveries as consumers recorded them before they wrote them into the database, batch by batch: of one that was tried
 * again there may be several. A batch that was recorded again counts once.
 */
export async function* toldDeliveries({ log, codec }: DeliverySource): AsyncIterable<readonly KnownDelivery[]> {
  const seen = new RecentlySeen();
  for (const { partition, low, high } of await log.watermarks(deliveriesTopic)) {
    for await (const records of log.read(deliveriesTopic, partition, low, high)) {
      for (const { value } of records) {
        if (!value) continue;
        const found = readable(codec, value);
        if (found?.type !== "DeliveriesRecorded" || !seen.take(found.value.meta.id)) continue;
        const recorded = found.value as unknown as DeliveriesRecorded;
        yield recorded.deliveries.map((made) => rowOf(recorded, made));
      }
    }
  }
}

/** Records in which consumers told of deliveries, each of a batch. */
export async function recordsOfDeliveries(log: Pick<Log, "watermarks">): Promise<number> {
  const marks = await log.watermarks(deliveriesTopic);
  return marks.reduce((sum, { low, high }) => sum + high - low, 0);
}
