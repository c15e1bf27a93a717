import { eventCatalog } from "../../schemas/events.generated.js";
import type { LaneEvent } from "../projector/events.js";
import type { ParkReason } from "../projector/park-reason.js";
import { deliveryIdOf } from "./cloud-event.js";
import type { AnyDelivery, MappedEvent } from "./definition.js";
import type { Parcel } from "./destination.js";
import { thrownAt } from "./thrown.js";

/** What is to be done about an event: send something, send nothing, or hold its key back. */
export type Mapped =
  | { readonly kind: "parcel"; readonly parcel: Parcel }
  | { readonly kind: "nothing" }
  | { readonly kind: "park"; readonly reason: ParkReason };

const failed = (reason: string): Mapped => ({ kind: "park", reason: { code: "TRIB_DELIVERY_MAP_FAILED", reason } });

/** Whether a delivery is made of events of this type, or the event can't be read, which its key has to wait for. */
export const concerns = ({ events }: AnyDelivery, { type, undecodable }: LaneEvent): boolean =>
  undecodable !== undefined || (type !== undefined && events.includes(type));

/**
 * What a delivery makes of an event. Pure, as `map` is.
 * @param sealed what is sealed in the event, opened just before; null where it isn't opened.
 */
export function mapEvent(consumer: string, delivery: AnyDelivery, laneEvent: LaneEvent, sealed: object | null): Mapped {
  const { type, event, eventId, key, position, undecodable } = laneEvent;
  if (undecodable) return { kind: "park", reason: undecodable };
  if (type === undefined || eventId === null) return failed("the event has no id");
  const { sealed: _, ...clear } = event as { readonly sealed?: unknown };
  let json: string | undefined;
  try {
    const mapped = delivery.map({ type, event: clear, sealed, key, recordedAt: position.recordedAt } as MappedEvent);
    if (mapped === undefined) return { kind: "nothing" };
    json = JSON.stringify(mapped);
  } catch (error) {
    return failed(`map threw ${thrownAt(error)}`);
  }
  if (json === undefined) return failed("what map gives is no JSON");
  const { meta } = event as unknown as { readonly meta: { readonly source: string; readonly time: number } };
  return {
    kind: "parcel",
    parcel: {
      deliveryId: deliveryIdOf(consumer, eventId),
      eventId,
      type: eventCatalog[type].record,
      source: meta.source,
      subject: key,
      time: meta.time,
      json,
      opened: sealed !== null,
    },
  };
}
