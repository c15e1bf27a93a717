import type { EventMetaInput, PositionInput } from "../../schemas/common/common.generated.js";
import { type EventType, eventCatalog } from "../../schemas/events.generated.js";
import type { JournalledEventInput } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import { TributaryError } from "../service/errors.js";
import type { EventName } from "../vault/sealed-event.js";
import type { EventDraft, ReceivedUnit, Verdict } from "./connector.js";
import { eventId } from "./event-id.js";
import { strayInstant } from "./stray-instant.js";
import { unitCodes } from "./unit-codes.js";

/** Encrypts what is inside an event under the subject's key. */
export type SealEvent = (event: EventName, subject: string, plaintext: Buffer) => Buffer;

export interface FinishContext {
  readonly codec: Pick<Codec, "encode" | "encodeFinished">;
  readonly connector: string;
  readonly receiptId: string;
  /** Where the unit is translated again: which translation it is, and where the unit was first translated. */
  readonly again?: { readonly generation: number; readonly origin: PositionInput } | undefined;
  readonly seal: SealEvent;
  /** Most bytes of one encoded event. */
  readonly eventLimit: number;
}

/** What events take from their unit. */
export type FinishedUnit = Pick<ReceivedUnit, "events" | "partner" | "transport">;

export type Finished =
  | { readonly verdict: Verdict & { readonly accepted: true }; readonly events: readonly JournalledEventInput[] }
  | { readonly verdict: Verdict & { readonly accepted: false } };

/** Gives the drafts of a unit their ids, meta, seals and encoding. An event that can't be made rejects the unit. */
export function finishEvents(unit: FinishedUnit, context: FinishContext): Finished {
  const events: JournalledEventInput[] = [];
  for (let index = 0; index < unit.events.length; index++) {
    const finished = finishEvent(unit, unit.events[index] as EventDraft, index, context);
    if ("accepted" in finished) return { verdict: finished };
    events.push(finished);
  }
  return { verdict: { accepted: true }, events };
}

function finishEvent(
  unit: FinishedUnit,
  draft: EventDraft,
  index: number,
  { codec, connector, receiptId, seal, eventLimit, again }: FinishContext,
): JournalledEventInput | (Verdict & { accepted: false }) {
  const type: EventType = draft.type;
  const { topics, sealed: sealedRecord } = eventCatalog[type];
  const topic = draft.topic ?? topics[0];
  const id = eventId(receiptId, again?.generation ?? 0, index);
  const meta: EventMetaInput = {
    id,
    source: unit.partner,
    time: draft.time,
    timePrecision: draft.timePrecision,
    subject: draft.subject,
    connector,
    causationId: receiptId,
    correlationId: unit.transport?.transmissionId ?? null,
    generation: again?.generation,
    origin: again?.origin,
  };
  const stray = strayInstant(draft);
  if (stray) return rejected(unitCodes.eventInvalid, `${type}.${stray}`);
  try {
    let sealed: Buffer | null = null;
    if (draft.sealed && sealedRecord !== null) {
      if (draft.sealFor === undefined) return rejected(unitCodes.eventInvalid, `${type}.sealFor`);
      sealed = seal({ type, eventId: id }, draft.sealFor, codec.encode(sealedRecord, draft.sealed));
    }
    const value = codec.encodeFinished(type, draft.fields, { meta, sealed });
    if (value.length > eventLimit) return rejected(unitCodes.eventTooLarge, type);
    return { topic, key: draft.subject, id, type, value };
  } catch (error) {
    // What the codec refuses is the unit's fault; anything else is ours and must not be blamed on a partner.
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_FIELD_INVALID") throw error;
    return rejected(unitCodes.eventInvalid, [type, error.facts.field].filter(Boolean).join("."));
  }
}

const rejected = (code: string, location: string) => ({ accepted: false as const, code, location });
