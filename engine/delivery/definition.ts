/**
 * The words a delivering consumer is written in: which events, to whom, and a pure function of each event.
 */
import { type EventTypes, eventCatalog, type SealedTypes } from "../../schemas/events.generated.js";
import type { EventType, JsonValue } from "../projector/definition.js";
import { TributaryError } from "../service/errors.js";
import type { Destination } from "./destination.js";

/** An event as `map` is given it; `type` tells which. */
export type MappedEvent<Type extends EventType = EventType> = {
  readonly [Each in Type]: {
    readonly type: Each;
    /** Decoded as the log has it: amounts in cents, instants in epoch milliseconds, dates as YYYY-MM-DD. */
    readonly event: Omit<EventTypes[Each], "sealed">;
    /**
     * What identifies people, where the definition `opens` this type; null where it does not, where the event has none, and
     * from the moment on at which the patient's key is erased.
     */
    readonly sealed: SealedTypes[Each] | null;
    /** Surrogate id of the entity. */
    readonly key: string;
    /** When the unit was recorded, epoch milliseconds. */
    readonly recordedAt: number;
  };
}[Type];

/** What is delivered, to whom. */
export interface Delivery<Type extends EventType = EventType> {
  /** Types of the events that are delivered, each in the order of its entity. */
  readonly events: readonly Type[];
  /** Those of them whose sealed content `map` needs; default none. No other type can be opened by this consumer. */
  readonly opens?: readonly Type[];
  readonly to: Destination;
  /**
   * Pure: what is said of an event, or undefined when nothing is sent of it. Called again before every attempt. What it
   * throws parks the event's key.
   */
  map(event: MappedEvent<Type>): JsonValue | undefined;
}

/** Where a delivering consumer begins when it runs for the first time; default `latest`: what is sent can't be unsent. */
export type DeliveryStart = "earliest" | "latest";

/** A delivery whose types no longer matter: what the engine runs. */
export type AnyDelivery = Delivery<EventType>;

/** Topics that a delivery reads, without the installation's prefix. */
export const topicsOfDelivery = ({ events }: AnyDelivery): readonly string[] =>
  [...new Set(events.flatMap((type) => eventCatalog[type].topics))].sort();

/** @throws TRIB_DELIVERY_DEFINITION_INVALID naming what is wrong. */
export function validateDelivery(name: string, { events, opens = [], to, map }: AnyDelivery): void {
  const wrong = (what: string) =>
    new TributaryError("TRIB_DELIVERY_DEFINITION_INVALID", `Consumer ${name}: ${what}.`, { consumer: name });
  if (events.length === 0) throw wrong("deliver.events names no event");
  const unknown = events.find((type) => !Object.hasOwn(eventCatalog, type));
  if (unknown !== undefined) throw wrong(`deliver.events: there is no event ${unknown}`);
  const closed = opens.find((type) => !events.includes(type) || eventCatalog[type].sealed === null);
  if (closed !== undefined) throw wrong(`deliver.opens: ${closed} is not delivered, or has nothing sealed`);
  if (typeof map !== "function") throw wrong("deliver.map is no function");
  const fault = to.fault();
  if (fault !== undefined) throw wrong(`deliver.to: ${fault}`);
}
