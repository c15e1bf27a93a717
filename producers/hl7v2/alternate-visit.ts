import type { EventDraft } from "../../engine/intake/connector.js";
import { identifiersOf, type NamedVisit, type PatientIdentifier, type Speaker } from "./identify.js";
import { component, type Message, type Segment, segmentNamed, triggerOf } from "./message.js";
import type { Telling } from "./telling.js";

/** What an event tells of alternate identifiers of its visit: without their values, and the values to be sealed. */
export interface AlternateIds {
  readonly clear: readonly { readonly identifierId: string; readonly authority: string; readonly type: string }[];
  readonly values: readonly string[];
}

const alternates = (found: readonly PatientIdentifier[]): AlternateIds => ({
  clear: found.map(({ id, authority, type }) => ({ identifierId: id, authority, type })),
  values: found.map(({ value }) => value),
});

const alternatesIn = (message: Message, segment: Segment, field: 50 | 6, speaker: Speaker) =>
  identifiersOf(message, segment, field, speaker, "visit");

/** The alternate identifiers of a visit: PV1-50, which repeats since v2.7. Undefined where it has none. */
export function alternateIds(message: Message, pv1: Segment, speaker: Speaker): AlternateIds | undefined {
  const found = alternatesIn(message, pv1, 50, speaker);
  return found.length === 0 ? undefined : alternates(found);
}

/** Whether a message changes an alternate visit id. */
export const changesAlternateId = (message: Message): boolean =>
  component(message.header, 9, 1) === "ADT" && triggerOf(message) === "A51";

/**
 * The event of an alternate visit id that was assigned in error (A51, chapter 3): what MRG-6 has and PV1-50 has not is no
 * longer the visit's. That PV1-50 is, the visit's own event tells.
 */
export function alternateChange(telling: Telling, { pv1, visit, patientId }: NamedVisit): EventDraft[] {
  const { message, speaker, time, flags } = telling;
  const mrg = segmentNamed(message, "MRG");
  if (!changesAlternateId(message) || mrg === undefined) return [];
  const now = new Set(alternatesIn(message, pv1, 50, speaker).map(({ id }) => id));
  const gone = alternatesIn(message, mrg, 6, speaker).filter(({ id }) => !now.has(id));
  if (gone.length === 0) return [];
  const { clear, values } = alternates(gone);
  const { facility } = speaker;
  return [
    {
      type: "VisitIdentifiersLeft",
      subject: visit.id,
      ...time,
      fields: { patientId, facility, authority: visit.authority, identifiers: clear, flags },
      sealed: { visitNumber: visit.number, identifierValues: values },
      sealFor: patientId ?? visit.id,
    },
  ];
}
