import type { EventDraft } from "../../engine/intake/connector.js";
import { ownFirst, patientIdentifiers, type Speaker, visitOf } from "./identify.js";
import { isMerge, mergeEvents, readMerges } from "./merge.js";
import { component, type Message, segmentNamed } from "./message.js";
import { patientEvent } from "./patient.js";
import { eventTime } from "./time.js";
import { bodyProblems, type Problem, warnings } from "./validate.js";
import { visitEvent } from "./visit.js";

/** What a message says. */
export interface Meaning {
  readonly events: readonly EventDraft[];
  /** Surrogate ids of every patient, or else the visit, that the message concerns. */
  readonly patients: readonly string[];
  readonly problems: readonly Problem[];
  readonly flags: readonly string[];
}

/**
 * Translates a message into events: the patient's, those of its merges, the visit's. A message without PID-3 or PV1-19
 * has none.
 * @param receivedAt epoch milliseconds; the event's time where the sender gives none.
 * @param flags what was unusual so far.
 */
export function interpret(message: Message, speaker: Speaker, receivedAt: number, flags: readonly string[]): Meaning {
  const pid = segmentNamed(message, "PID");
  const pv1 = segmentNamed(message, "PV1");
  const identifiers = pid === undefined ? [] : ownFirst(patientIdentifiers(message, pid, speaker), speaker.profile);
  const merges = isMerge(message) ? readMerges(message, speaker) : undefined;
  const problems = bodyProblems(message, speaker.profile, identifiers, merges);
  const notes = [...flags, ...warnings(message, identifiers)];
  const changesId = ["A46", "A47"].includes(component(message.header, 9, 2));
  if (merges && changesId) notes.push("CHANGE_OF_ID");
  for (const { reason } of problems) notes.push(reason);

  const time = eventTime(message, speaker.profile.timezone, receivedAt);
  const events: EventDraft[] = [];
  const patients = new Set<string>();
  const own = identifiers[0];
  if (pid !== undefined && own !== undefined) {
    patients.add(own.id);
    events.push(patientEvent(message, pid, identifiers, speaker, time, notes));
  }
  for (const merge of merges?.merges ?? []) {
    const [surviving, retired] = [merge.surviving[0], merge.retired[0]];
    if (surviving === undefined || retired === undefined) continue;
    if (merge.pid !== pid) events.push(patientEvent(message, merge.pid, merge.surviving, speaker, time, notes));
    events.push(...mergeEvents(merge, speaker, time, notes));
    patients.add(surviving.id).add(retired.id);
  }
  const visit = visitOf(message, pv1, speaker);
  if (pv1 !== undefined && visit !== undefined) {
    events.push(visitEvent(message, pv1, visit, own?.id ?? null, speaker, time, notes));
    if (patients.size === 0) patients.add(visit.id);
  }
  return { events, patients: [...patients], problems, flags: notes };
}
