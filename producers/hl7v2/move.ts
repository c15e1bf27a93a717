import type { EventDraft } from "../../engine/intake/connector.js";
import { identifiersOf, ownFirst, priorVisitOf, type Speaker, type VisitIdentity, visitOf } from "./identify.js";
import { component, type Message, type Segment, triggerOf } from "./message.js";
import type { EventTime } from "./time.js";

/** Triggers by which a visit changes its patient (A45), or its number (A42 of two that are one, A50). */
const MOVING = new Set(["A42", "A45", "A50"]);

/** A merge segment and the visit that it is about: the PV1 after it, else the message's. */
interface Change {
  readonly mrg: Segment;
  readonly pv1: Segment | undefined;
}

/** A45 has its visits after each MRG; A42 and A50 name one visit, wherever it stands. */
function changesOf(message: Message): Change[] {
  const changes: Change[] = [];
  for (const [index, mrg] of message.segments.entries()) {
    if (mrg.name !== "MRG") continue;
    const after = message.segments.slice(index + 1);
    const end = after.findIndex(({ name }) => name === "MRG");
    const own = (end < 0 ? after : after.slice(0, end)).find(({ name }) => name === "PV1");
    changes.push({ mrg, pv1: own ?? message.segments.find(({ name }) => name === "PV1") });
  }
  return changes;
}

/**
 * Whether a message about the numbers or the patient of visits (A42, A45, A50, A51) names none by its number. An alternate
 * id alone names no visit here: which one has it, only a look-up could tell.
 */
export function namesNoVisit(message: Message, speaker: Speaker): boolean {
  const trigger = triggerOf(message);
  if (component(message.header, 9, 1) !== "ADT" || !(MOVING.has(trigger) || trigger === "A51")) return false;
  return message.segments.every(
    (segment) =>
      (segment.name !== "PV1" || visitOf(message, segment, speaker) === undefined) &&
      (segment.name !== "MRG" || trigger === "A51" || priorVisitOf(message, segment, speaker) === undefined),
  );
}

/**
 * What a message says of visits that change their patient or number: VisitMoved on the visit, and VisitsMerged on both
 * numbers where there are two.
 * @param patientId the patient of the message, to whom the visits now belong.
 */
export function moveEvents(
  message: Message,
  patientId: string | null,
  speaker: Speaker,
  time: EventTime,
  flags: readonly string[],
): EventDraft[] {
  const trigger = triggerOf(message);
  if (component(message.header, 9, 1) !== "ADT" || !MOVING.has(trigger)) return [];
  const draft = (visit: VisitIdentity) => ({
    subject: visit.id,
    ...time,
    sealed: { visitNumber: visit.number },
    sealFor: patientId ?? visit.id,
  });
  return changesOf(message).flatMap(({ mrg, pv1 }) => {
    const prior = priorVisitOf(message, mrg, speaker);
    const visit = visitOf(message, pv1, speaker) ?? prior;
    if (visit === undefined) return [];
    const events: EventDraft[] = [];
    const common = (of: VisitIdentity) => ({
      patientId,
      facility: speaker.facility,
      authority: of.authority,
      flags,
    });
    const before = ownFirst(identifiersOf(message, mrg, 1, speaker), speaker.profile)[0]?.id ?? null;
    if (trigger === "A45" && before !== patientId) {
      const fields = { ...common(visit), fromPatientId: before };
      events.push({ ...draft(visit), type: "VisitMoved", fields });
    }
    if (prior !== undefined && prior.id !== visit.id) {
      const pair = { survivingVisitId: visit.id, retiredVisitId: prior.id };
      for (const [role, of] of [
        ["SURVIVING", visit],
        ["RETIRED", prior],
      ] as const) {
        events.push({ ...draft(of), type: "VisitsMerged", fields: { ...common(of), ...pair, role } });
      }
    }
    return events;
  });
}
