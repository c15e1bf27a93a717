import type { EventDraft } from "../../engine/intake/connector.js";
import {
  clearIdentifier,
  identifiersOf,
  ownFirst,
  type PatientIdentifier,
  patientIdentifiers,
  type Speaker,
  typedAs,
} from "./identify.js";
import { changesId, type Merge } from "./merge.js";
import { component, type Message, type Segment, triggerOf } from "./message.js";
import type { EventTime } from "./time.js";

/** A PID and the MRG after it, of a message that moves identifiers. */
export interface Move {
  readonly pid: Segment;
  /** Identifiers of the record that they are moved to, the facility's own first. */
  readonly now: readonly PatientIdentifier[];
  /** What it says of the record that they leave; undefined where it doesn't say which, or which identifiers. */
  readonly leaves: Leave | undefined;
}

interface Leave {
  readonly record: PatientIdentifier;
  readonly gone: readonly PatientIdentifier[];
  /** The record that has them now. */
  readonly to: string | null;
}

/** Whether a message moves identifiers from one record to another (A43), which merges nobody. */
export const movesIdentifiers = (message: Message): boolean =>
  component(message.header, 9, 1) === "ADT" && triggerOf(message) === "A43";

/** The moves of a message: every MRG belongs to the PID before it. */
export function readIdentifierMoves(message: Message, speaker: Speaker): readonly Move[] {
  if (!movesIdentifiers(message)) return [];
  const moves: Move[] = [];
  let pid: Segment | undefined;
  for (const segment of message.segments) {
    if (segment.name === "PID") pid = segment;
    if (segment.name !== "MRG" || pid === undefined) continue;
    const now = ownFirst(patientIdentifiers(message, pid, speaker), speaker.profile);
    const before = ownFirst(typedAs(now, identifiersOf(message, segment, 1, speaker), speaker), speaker.profile);
    moves.push({ pid, now, leaves: leaving(now, before) });
  }
  return moves;
}

/**
 * What a move of identifiers says of the record that they leave. An identifier that PID-3 and MRG-1 both have is moved;
 * what only MRG-1 has names the record that it leaves, what only PID-3 has the record that it comes to (chapter 3, A43).
 * Where the record's own number is among the moved, the record itself changes hands, and leaves what only MRG-1 has.
 */
function leaving(now: readonly PatientIdentifier[], before: readonly PatientIdentifier[]): Leave | undefined {
  const has = (list: readonly PatientIdentifier[], id: string) => list.some((one) => one.id === id);
  const moved = before.filter(({ id }) => has(now, id));
  const left = before.filter(({ id }) => !has(now, id));
  const [record, to] = [before[0], now[0]];
  if (record === undefined || to === undefined || moved.length === 0 || left.length === 0) return undefined;
  return has(moved, record.id) ? { record, gone: left, to: null } : { record, gone: moved, to: to.id };
}

function leaveEvent(
  { record, gone, to }: Leave,
  reason: "MOVED" | "CHANGED",
  speaker: Speaker,
  time: EventTime,
  flags: readonly string[],
): EventDraft {
  const identifiers = gone.map((one) => clearIdentifier(one, record, speaker));
  const fields = { facility: speaker.facility, identifiers, toPatientId: to, reason, flags };
  return { type: "PatientIdentifiersLeft", subject: record.id, ...time, fields };
}

/** The events of a move on the record that identifiers leave; the patient event of the PID tells the other. */
export function moveAwayEvents(
  { leaves }: Move,
  speaker: Speaker,
  time: EventTime,
  flags: readonly string[],
): readonly EventDraft[] {
  if (leaves === undefined) return [];
  const { record, gone, to } = leaves;
  const events = [leaveEvent(leaves, "MOVED", speaker, time, flags)];
  // A record number that was merged into the one it leaves stands for it no longer.
  for (const { id, authority, type } of to === null ? [] : gone) {
    if (authority !== record.authority || type !== record.type) continue;
    for (const [subject, otherPatientId] of [
      [id, record.id],
      [record.id, id],
    ] as const) {
      const fields = { facility: speaker.facility, otherPatientId, flags };
      events.push({ type: "PatientsUnmerged", subject, ...time, fields });
    }
  }
  return events;
}

/** Identifiers of a record in whose place others came (A46, A47): it no longer has them. */
export function changedIdentifiers(
  message: Message,
  { surviving, pairs, held }: Merge,
  speaker: Speaker,
  time: EventTime,
  flags: readonly string[],
): readonly EventDraft[] {
  const record = surviving[0];
  if (record === undefined || held || !changesId(message)) return [];
  // The record's own number before is a record of its own, which the merge retires.
  const gone = pairs
    .map(({ retired }) => retired)
    .filter(({ authority, type }) => authority !== record.authority || type !== record.type);
  return gone.length === 0 ? [] : [leaveEvent({ record, gone, to: null }, "CHANGED", speaker, time, flags)];
}
