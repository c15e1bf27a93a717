import { storableText } from "../projector/checkpoint.js";
import type { Verdict } from "../projector/decisions.js";
import { parkedByOperator } from "../projector/park-reason.js";
import type { Patience } from "../projector/patience.js";
import type { Opener } from "../projector/ports.js";
import type { AnyDelivery } from "./definition.js";
import type { Attempt, Parcel, Sender } from "./destination.js";
import type { Ending, Entry } from "./entry.js";
import { mapEvent } from "./mapping.js";
import type { DeliveryRow } from "./statement.js";

export interface AttemptParts {
  readonly consumer: string;
  readonly delivery: AnyDelivery;
  readonly opener: Opener;
  readonly sender: Sender;
  readonly patience: Patience;
  /** Milliseconds after which an event that is not taken parks its key; 0 for never. */
  readonly longest: number;
}

/** Under what an attempt is made. */
export interface AttemptContext {
  /** What operators decided about the event. */
  readonly verdict: Verdict | undefined;
  /** Given when the lane is lost. */
  readonly signal: AbortSignal;
  /** Whether whoever makes it is to make more. */
  isOwned(): boolean;
}

/** How an entry ended, or what is in the way of it for now. */
export type Tried =
  | { readonly ending: Ending }
  | {
      readonly ending: undefined;
      readonly attempt: Attempt;
      /** Whether it is the first by which the partner may have been sent it. */
      readonly isFirstSent: boolean;
      /** What is to be recorded of it. */
      readonly row: () => DeliveryRow;
    };

/** One attempt at an event: asks what was decided, opens, maps, sends, and judges the answer. */
export async function attemptEntry(entry: Entry, parts: AttemptParts, context: AttemptContext): Promise<Tried> {
  const { consumer, delivery, sender } = parts;
  const { verdict, signal } = context;
  if (verdict === "skip") return { ending: { kind: "passed", why: "skipped" } };
  if (verdict === "park") return { ending: { kind: "parked", reason: parkedByOperator, row: undefined } };
  const mapped = mapEvent(consumer, delivery, entry.event, await opened(entry, parts, context));
  if (mapped.kind === "nothing") return { ending: { kind: "passed", why: "nothing" } };
  if (mapped.kind === "park") return { ending: { kind: "parked", reason: mapped.reason, row: undefined } };
  entry.attempts++;
  entry.opened ||= mapped.parcel.opened;
  if (entry.attempts === 1) entry.firstAt = Date.now();
  return judged(entry, parts, mapped.parcel, await sender.send(mapped.parcel, signal));
}

/** Opened anew for every attempt: a patient may have been erased since the last one. */
async function opened(
  { event }: Entry,
  { delivery, opener, patience }: AttemptParts,
  context: AttemptContext,
): Promise<object | null> {
  const { type, sealed, eventId } = event;
  if (type === undefined || sealed === null || !delivery.opens?.includes(type)) return null;
  const content = { type, eventId: eventId ?? "", sealed };
  const [found] = await patience.until("open what is sealed", () => opener.open([content]), context);
  return found ?? null;
}

function judged(entry: Entry, { sender, longest }: AttemptParts, parcel: Parcel, attempt: Attempt): Tried {
  const { outcome, reason } = attempt;
  const isFirstSent = attempt.sent && !entry.sent;
  entry.sent ||= attempt.sent;
  const row = (status: DeliveryRow["status"]): DeliveryRow => {
    const attempts = entry.attempts - entry.recorded;
    entry.recorded = entry.attempts;
    return { ...shared, attempts, status };
  };
  const shared = {
    eventId: storableText(parcel.eventId),
    deliveryId: parcel.deliveryId,
    destination: sender.name,
    eventType: entry.event.type ?? "",
    offset: entry.event.offset,
    opened: entry.opened,
    sent: entry.sent,
    firstAt: entry.firstAt,
    lastAt: Date.now(),
    responseCode: attempt.status,
    sha256: attempt.sha256,
  };
  if (outcome === "delivered") return { ending: { kind: "delivered", row: row("delivered") } };
  if (outcome === "refused") {
    const why = { code: "TRIB_DELIVERY_REFUSED", reason: reason ?? "" } as const;
    return { ending: { kind: "parked", reason: why, row: row("refused") } };
  }
  if (longest > 0 && Date.now() - entry.firstAt >= longest) {
    const why = { code: "TRIB_DELIVERY_UNANSWERED", reason: `after ${entry.attempts} attempts: ${reason}` } as const;
    return { ending: { kind: "parked", reason: why, row: row("unanswered") } };
  }
  return { ending: undefined, attempt, isFirstSent, row: () => row("waiting") };
}
