import type { EventDraft } from "../../engine/intake/connector.js";
import { alternateChange } from "./alternate-visit.js";
import { chargeProblems, claimEvents } from "./charges.js";
import { changedIdentifiers, moveAwayEvents, readIdentifierMoves } from "./identifier-moves.js";
import { ownFirst, type PatientIdentifier, patientIdentifiers, type Speaker, visitOf } from "./identify.js";
import { linkEvents, type NamedPatient, patientsNamed } from "./link.js";
import { changesId, isMerge, type Merge, mergeEvents, readMerges } from "./merge.js";
import { component, type Message, segmentNamed, triggerOf } from "./message.js";
import { moveEvents, namesNoVisit, readVisitChanges } from "./move.js";
import { patientEvent } from "./patient.js";
import { priorsOf } from "./prior.js";
import type { Telling } from "./telling.js";
import { eventTime, zoneOf } from "./time.js";
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

/** Triggers whose messages are about more than one patient without a merge. */
const SEVERAL_PATIENTS = new Set(["A17", "A24", "A37", "A43"]);

/**
 * Translates a message into events: the patient's, those of its merges, the visit's. A message without PID-3 or PV1-19
 * has none.
 * @param receivedAt epoch milliseconds; the event's time where the sender gives none.
 * @param flags what was unusual so far.
 */
export function interpret(message: Message, speaker: Speaker, receivedAt: number, flags: readonly string[]): Meaning {
  const pid = segmentNamed(message, "PID");
  const identifiers = pid === undefined ? [] : ownFirst(patientIdentifiers(message, pid, speaker), speaker.profile);
  const priors = priorsOf(message, speaker);
  const merges = isMerge(message) ? readMerges(message, priors, speaker) : undefined;
  const problems = [
    ...bodyProblems(message, speaker.profile, identifiers, merges),
    ...chargeProblems(message, speaker),
  ];
  const trigger = triggerOf(message);
  const named = patientsNamed(message, speaker);
  const moves = readIdentifierMoves(message, priors, speaker);
  const changes = readVisitChanges(message, priors, speaker);
  const notes = [...flags, ...warnings(message, identifiers)];
  if (merges && changesId(message)) notes.push("CHANGE_OF_ID");
  for (const { reason } of problems) notes.push(reason);
  if (moves.some(({ leaves }) => leaves === undefined)) notes.push("MOVE_UNCLEAR");
  if (merges) notes.push(...mergeNotes(merges.merges));
  const isAssumed = changes.some(({ prior }) => prior?.assumed) || priors.some(({ before }) => before.some(assumed));
  if (isAssumed) notes.push("PRIOR_AUTHORITY_ASSUMED");
  if (named.length > 1 && !merges && !SEVERAL_PATIENTS.has(trigger)) notes.push("FURTHER_PATIENTS");
  if (namesNoVisit(message, changes, speaker)) notes.push("VISIT_UNIDENTIFIED");

  const time = eventTime(message, zoneOf(message, speaker.profile.timezone), receivedAt);
  const telling: Telling = { message, speaker, time, flags: notes };
  const events: EventDraft[] = [];
  const patients = new Set<string>();
  const own = identifiers[0];
  const patientId = own?.id ?? null;
  const pv1 = ownVisit(message, named, own);
  if (pid !== undefined && own !== undefined) {
    patients.add(own.id);
    events.push(patientEvent(telling, pid, identifiers));
  }
  for (const merge of merges?.merges ?? []) {
    const [surviving, retired] = [merge.surviving[0], merge.retired[0]];
    if (surviving === undefined || retired === undefined) continue;
    if (merge.pid !== pid) events.push(patientEvent(telling, merge.pid, merge.surviving));
    events.push(...mergeEvents(telling, merge));
    events.push(...changedIdentifiers(telling, merge));
    patients.add(surviving.id).add(retired.id);
  }
  for (const move of moves) {
    if (move.pid !== pid && move.now.length > 0) events.push(patientEvent(telling, move.pid, move.now));
    events.push(...moveAwayEvents(telling, move));
  }
  events.push(...linkEvents(telling, named));
  const visit = visitOf(message, pv1, speaker);
  if (pv1 !== undefined && visit !== undefined) {
    const namedVisit = { pv1, visit, patientId };
    events.push(visitEvent(telling, namedVisit), ...alternateChange(telling, namedVisit));
  }
  const claim = claimEvents(telling, patientId, visit);
  events.push(...claim.events);
  events.push(...moveEvents(telling, changes, patientId));
  if (trigger === "A17") events.push(...swappedWith(telling, named));
  // Whoever is named anywhere in a message can have it destroyed, used or not.
  for (const one of named) patients.add((one.identifiers[0] as PatientIdentifier).id);
  for (const { before } of priors) {
    const [record] = ownFirst(before, speaker.profile);
    if (record) patients.add(record.id);
  }
  if (patients.size === 0 && visit !== undefined) patients.add(visit.id);
  const all = [...notes, ...claim.flags, ...keptOnly(message, notes, claim.events.length > 0)];
  return { events, patients: [...patients], problems, flags: all };
}

const assumed = (identifier: { readonly assumed?: true }): boolean => identifier.assumed === true;

/** What is unusual about merges and no reason to refuse them. */
function mergeNotes(merges: readonly Merge[]): string[] {
  const notes: string[] = [];
  const is = (matches: (retired: PatientIdentifier, surviving: PatientIdentifier) => boolean) =>
    merges.some(({ pairs: [first] }) => first && matches(first.retired, first.surviving));
  if (merges.some(({ held }) => held)) notes.push("MERGE_HELD");
  // Whose number it is only the message's facility says: where PID names an authority, it may be another record's.
  if (is((retired, surviving) => retired.fromFacility && !surviving.fromFacility))
    notes.push("MERGE_AUTHORITY_FROM_FACILITY");
  // It retires a record without a type, and the one that is meant may have one.
  if (is((retired, surviving) => !retired.fromFacility && retired.type === "" && surviving.type !== ""))
    notes.push("MERGE_TYPE_UNKNOWN");
  return notes;
}

/** The PV1 of the message's own patient: what stands with another patient is that one's visit. */
function ownVisit(message: Message, named: readonly NamedPatient[], own: PatientIdentifier | undefined) {
  const other = named.find(({ identifiers }) => identifiers[0]?.id !== own?.id);
  const end = other && message.segments.indexOf(other.pid);
  return message.segments.slice(0, end).find(({ name }) => name === "PV1");
}

/** The second of two patients who change places (A17), with the visit of the PV1 after it. */
function swappedWith(telling: Telling, named: readonly NamedPatient[]): EventDraft[] {
  const { message, speaker } = telling;
  const second = named[1];
  if (second === undefined) return [];
  const { pid, identifiers } = second;
  const pv1 = message.segments.slice(message.segments.indexOf(pid)).find(({ name }) => name === "PV1");
  const visit = visitOf(message, pv1, speaker);
  const events = [patientEvent(telling, pid, identifiers)];
  const patientId = (identifiers[0] as PatientIdentifier).id;
  if (pv1 && visit) events.push(visitEvent(telling, { pv1, visit, patientId }));
  return events;
}

/** Triggers that are about accounts and allergies, of which nothing is made. */
const UNUSED = new Set(["A35", "A41", "A44", "A49", "A60"]);

/** What of a message is kept in the journal and makes no event: a flag, so that it is counted. */
function keptOnly(message: Message, notes: readonly string[], isClaim: boolean): string[] {
  const type = component(message.header, 9, 1);
  if (type === "ADT") {
    const isUnused = UNUSED.has(triggerOf(message)) || notes.includes("VISIT_UNIDENTIFIED");
    return isUnused ? ["CONTENT_KEPT"] : [];
  }
  if (type === "ACK") return [];
  if (isClaim) return [];
  return segmentNamed(message, "FT1") ? ["CONTENT_KEPT", "CHARGES_KEPT"] : ["CONTENT_KEPT"];
}
