import type { EventDraft } from "../../engine/intake/connector.js";
import { ownFirst, type PatientIdentifier, patientIdentifiers, type Speaker } from "./identify.js";
import { component, type Message, type Segment, triggerOf } from "./message.js";
import type { Telling } from "./telling.js";

/** A patient segment and its identifiers, the facility's own first. */
export interface NamedPatient {
  readonly pid: Segment;
  readonly identifiers: readonly PatientIdentifier[];
}

/** Every patient segment of a message that names a patient, in order. */
export function patientsNamed(message: Message, speaker: Speaker): readonly NamedPatient[] {
  return message.segments
    .filter(({ name }) => name === "PID")
    .map((pid) => ({ pid, identifiers: ownFirst(patientIdentifiers(message, pid, speaker), speaker.profile) }))
    .filter(({ identifiers }) => identifiers.length > 0);
}

/** Triggers that say of two records that they are of one person, or no longer. */
const LINKING: Readonly<Record<string, "PatientsLinked" | "PatientsUnmerged">> = {
  A24: "PatientsLinked",
  A37: "PatientsUnmerged",
};

/**
 * The events of a link (A24) or of its undoing (A37, which also undoes a merge): on both records, the first with each of
 * the others.
 */
export function linkEvents(
  { message, speaker, time, flags }: Telling,
  patients: readonly NamedPatient[],
): EventDraft[] {
  const type = LINKING[triggerOf(message)];
  const [first, ...others] = patients.map(({ identifiers }) => (identifiers[0] as PatientIdentifier).id);
  if (type === undefined || component(message.header, 9, 1) !== "ADT" || first === undefined) return [];
  return others
    .filter((other) => other !== first)
    .flatMap((other) =>
      [
        [first, other],
        [other, first],
      ].map(([subject, otherPatientId]): EventDraft => {
        const fields = { facility: speaker.facility, otherPatientId: otherPatientId as string, flags };
        return { type, subject: subject as string, ...time, fields };
      }),
    );
}
