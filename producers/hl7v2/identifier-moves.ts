import type { EventDraft } from "../../engine/intake/connector.js";
import { clearIdentifier, ownFirst, type PatientIdentifier, type Speaker } from "./identify.js";
import { changesId, type Merge } from "./merge.js";
import { component, type Message, type Segment, triggerOf } from "./message.js";
import type { Prior } from "./prior.js";
import type { Telling } from "./telling.js";

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
export function readIdentifierMoves(message: Message, priors: readonly Prior[], { profile }: Speaker): readonly Move[] {
  if (!movesIdentifiers(message)) return [];
  return priors.flatMap(({ pid, ...prior }) => {
    if (pid === undefined) return [];
    const now = ownFirst(prior.now, profile);
    return [{ pid, now, leaves: leaving(now, ownFirst(prior.before, profile)) }];
  });
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
  { speaker, time, flags }: Telling,
  { record, gone, to }: Leave,
  reason: "MOVED" | "CHANGED",
): EventDraft {
  const identifiers = gone.map((one) => clearIdentifier(one, record, speaker));
  const fields = { facility: speaker.facility, identifiers, toPatientId: to, reason, flags };
  return { type: "PatientIdentifiersLeft", subject: record.id, ...time, fields };
}

/** The events of a move on the record that identifiers leave; the patient event of the PID tells the other. */
export function moveAwayEvents(telling: Telling, { leaves }: Move): readonly EventDraft[] {
  if (leaves === undefined) return [];
  const { speaker, time, flags } = telling;
  const { record, gone, to } = leaves;
  const events = [leaveEvent(telling, leaves, "MOVED")];
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
export function changedIdentifiers(telling: Telling, { surviving, pairs, held }: Merge): readonly EventDraft[] {
  const record = surviving[0];
  if (record === undefined || held || !changesId(telling.message)) return [];
  // The record's own number before is a record of its own, which the merge retires.
  const gone = pairs
    .map(({ retired }) => retired)
    .filter(({ authority, type }) => authority !== record.authority || type !== record.type);
  return gone.length === 0 ? [] : [leaveEvent(telling, { record, gone, to: null }, "CHANGED")];
}
