import type { Row } from "../../engine/projector/definition.js";
import { type Clock, compareClocks } from "../clock.js";
import { chainEnds } from "./merge-state.js";

/**
 * Merges that wait for a person: those that a message asked for and that were not carried out, and those that run in a
 * circle, so that no record of them survives.
 * @param holds rows of `merge_holds`
 * @param merges rows of `identifier_merges`
 */
export function heldMergesOf(holds: readonly Row[], merges: readonly Row[]): readonly Row[] {
  const held: Row[] = [];
  const pairOf = ({ patient_id, new_patient_id }: Row) => `${patient_id}/${new_patient_id}`;
  const done = new Map<string, Clock>();
  for (const merge of merges) {
    const at = merge.at as unknown as Clock;
    const before = done.get(pairOf(merge));
    if (merge.stands === true && (!before || compareClocks(before, at) < 0)) done.set(pairOf(merge), at);
  }
  for (const { patient_id, surviving_patient_id, reason, at } of holds) {
    // Whoever had to decide may have sent it once more, as it should have been.
    const carriedOut = done.get(`${patient_id}/${surviving_patient_id}`);
    if (carriedOut && compareClocks(at as unknown as Clock, carriedOut) < 0) continue;
    held.push({ patient_id, surviving_patient_id, reason, held_at: (at as unknown as Clock)[0] } as Row);
  }
  const { circular } = chainEnds(merges);
  const circles = new Map<string, Row>();
  for (const merge of merges) {
    const { patient_id, new_patient_id, stands, at } = merge;
    if (stands !== true || !circular.has(patient_id as string) || !circular.has(new_patient_id as string)) continue;
    const before = circles.get(pairOf(merge));
    const held_at = Math.max((at as unknown as Clock)[0], (before?.held_at as number | undefined) ?? 0);
    circles.set(pairOf(merge), {
      patient_id: patient_id as string,
      surviving_patient_id: new_patient_id as string,
      reason: "circle",
      held_at,
    });
  }
  const known = new Set(held.map((row) => `${row.patient_id}/${row.surviving_patient_id}`));
  return [...held, ...[...circles].filter(([pair]) => !known.has(pair)).map(([, row]) => row)];
}
