import type { EventDraft } from "../../engine/intake/connector.js";
import { ownFirst, type Speaker, type VisitIdentity, visitOf } from "./identify.js";
import { component, type Message, type Segment, triggerOf } from "./message.js";
import { type Prior, type PriorVisit, priorVisitOf } from "./prior.js";
import type { Telling } from "./telling.js";

/**
 * Triggers that name a visit as it was before: it changes its patient (A45) or its number (A42 of two that are one, A50), or
 * an outpatient becomes an inpatient (A06) or the other way round (A07), and the visit that is begun so replaces another.
 */
const MOVING = new Set(["A42", "A45", "A50", "A06", "A07"]);
/** Those that are about nothing else. */
const ONLY_MOVING = new Set(["A42", "A45", "A50"]);

/** A merge segment and the visit that it is about: the PV1 after it, else the message's. */
interface Change {
  /** The visit as it is now; where PV1-19 is empty, the one of MRG-5. */
  readonly visit: VisitIdentity;
  readonly prior: PriorVisit | undefined;
  /** The record that MRG-1 names. */
  readonly fromPatientId: string | null;
}

const movesVisits = (message: Message): boolean =>
  component(message.header, 9, 1) === "ADT" && MOVING.has(triggerOf(message));

/** A45 has its visits after each MRG; the others name one visit, wherever it stands. */
export function readVisitChanges(message: Message, priors: readonly Prior[], speaker: Speaker): readonly Change[] {
  if (!movesVisits(message)) return [];
  // In one go over the segments: to look for each would take the product of their numbers.
  const after = new Map<Segment, Segment>();
  let last: Segment | undefined;
  for (const segment of message.segments) {
    if (segment.name === "MRG") last = segment;
    else if (isPv1(segment) && last !== undefined && !after.has(last)) after.set(last, segment);
  }
  const first = message.segments.find(isPv1);
  return priors.flatMap(({ mrg, before }): Change[] => {
    const now = visitOf(message, after.get(mrg) ?? first, speaker);
    const prior = priorVisitOf(message, mrg, now, speaker);
    const visit = now ?? prior;
    const fromPatientId = ownFirst(before, speaker.profile)[0]?.id ?? null;
    return visit === undefined ? [] : [{ visit, prior, fromPatientId }];
  });
}

const isPv1 = ({ name }: Segment): boolean => name === "PV1";

/**
 * Whether a message about the numbers or the patient of visits (A42, A45, A50, A51) names none by its number, or tells that
 * another visit stands for one (A06, A07) and not which. An alternate id alone names no visit here: which one has it, only
 * a look-up could tell.
 */
export function namesNoVisit(message: Message, changes: readonly Change[], speaker: Speaker): boolean {
  const trigger = triggerOf(message);
  if (component(message.header, 9, 1) !== "ADT") return false;
  const hasNumber = message.segments.some((segment) => isPv1(segment) && visitOf(message, segment, speaker));
  if (trigger === "A51") return !hasNumber;
  if (ONLY_MOVING.has(trigger)) return !hasNumber && changes.length === 0;
  return !hasNumber && changes.length > 0;
}

/**
 * What a message says of visits that change their patient or number: VisitMoved on the visit, and VisitsMerged on both
 * numbers where there are two.
 * @param patientId the patient of the message, to whom the visits now belong.
 */
export function moveEvents(
  { message, speaker, time, flags }: Telling,
  changes: readonly Change[],
  patientId: string | null,
): EventDraft[] {
  const trigger = triggerOf(message);
  const draft = (visit: VisitIdentity) => ({
    subject: visit.id,
    ...time,
    sealed: { visitNumber: visit.number },
    sealFor: patientId ?? visit.id,
  });
  return changes.flatMap(({ visit, prior, fromPatientId }) => {
    const events: EventDraft[] = [];
    const common = (of: VisitIdentity) => ({
      patientId,
      facility: speaker.facility,
      authority: of.authority,
      flags,
    });
    if (trigger === "A45" && fromPatientId !== patientId) {
      events.push({ ...draft(visit), type: "VisitMoved", fields: { ...common(visit), fromPatientId } });
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
