import type { Row } from "../../engine/projector/definition.js";

/** An identifier on more patients than this is a default or a mistake (a hospital's own number, 999999999): no link. */
export const mostPatientsLinked = 50;

/** Sets that only grow together; the smallest member names its set. */
class Sets {
  readonly #parents = new Map<string, string>();

  find(member: string): string {
    let root = member;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next;
    // Shortens the way for the next one.
    for (let at = member; at !== root; ) {
      const next = this.#parents.get(at) as string;
      this.#parents.set(at, root);
      at = next;
    }
    return root;
  }

  join(one: string, other: string): void {
    const [left, right] = [this.find(one), this.find(other)];
    if (left === right) return;
    if (left < right) this.#parents.set(right, left);
    else this.#parents.set(left, right);
  }
}

/**
 * Patients that are one person: merged into each other, or linked by a strong identifier, which also links the record
 * that it names (an enterprise index that tells of its own numbers).
 * Takes rows of `patients` (patient_id, merged_into), `patient_identifiers` (patient_id, identifier_id, strong) and
 * `patient_links` (patient_id, other_patient_id, linked).
 * @returns rows of `persons`; the smallest patient id names the person.
 */
export function personsOf(
  patients: readonly Row[],
  identifiers: readonly Row[],
  links: readonly Row[] = [],
): readonly Row[] {
  const sets = new Sets();
  for (const { patient_id, merged_into } of patients) {
    if (merged_into) sets.join(patient_id as string, merged_into as string);
  }
  for (const { patient_id, other_patient_id, linked } of links) {
    if (linked) sets.join(patient_id as string, other_patient_id as string);
  }
  const holders = new Map<string, Set<string>>();
  for (const { patient_id, identifier_id, strong } of identifiers) {
    if (!strong) continue;
    const held = holders.get(identifier_id as string) ?? new Set();
    holders.set(identifier_id as string, held.add(patient_id as string));
  }
  for (const [identifier, held] of holders) {
    if (held.size > mostPatientsLinked) continue;
    // To its own authority an identifier is no link but the record itself, which has the identifier's id.
    for (const patient of held) sets.join(patient, identifier);
  }
  const members = new Map<string, string[]>();
  for (const { patient_id } of patients) {
    const root = sets.find(patient_id as string);
    const list = members.get(root);
    if (list) list.push(patient_id as string);
    else members.set(root, [patient_id as string]);
  }
  // The survivor of a merge may not have its own row yet, so the name is taken from those that have.
  return [...members.values()].map((ids) => {
    ids.sort();
    return { person_id: ids[0] as string, patient_ids: ids };
  });
}
