import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import patients from "./projection.js";

type Given = Parameters<typeof recorded>[0][number];
const idOf = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;
const [ann, bob] = [idOf("a", 1), idOf("a", 2)];
const identifier = (number: number, strong = false) => {
  return { identifierId: idOf("b", number), authority: "NORTH", type: "MR", strong };
};

/** What a source tells of a patient's identifiers, by their numbers. */
const told = (key: string, time: number, numbers: readonly number[], source: string, more: object = {}): Given =>
  ({
    type: "PatientUpdated",
    key,
    time,
    fields: { facility: "NORTH", identifiers: numbers.map((number) => identifier(number)), ...more },
    sealed: { identifierValues: numbers.map((number) => `N${number}`) },
    meta: { source },
  }) as unknown as Given;
const listed = (key: string, time: number, numbers: readonly number[], source = "fhir", strong = true): Given =>
  told(key, time, numbers, source, {
    identifiers: numbers.map((number) => identifier(number, strong)),
    identifiersComplete: true,
  });
/** One of the two events of a merge. */
const merged = (time: number, retired: string, survivingPatientId: string, number: number): Given =>
  ({
    type: "PatientsMerged",
    key: retired,
    time,
    fields: {
      ...{ facility: "NORTH", role: "RETIRED", survivingPatientId, retiredPatientId: retired },
      merges: [{ retired: identifier(number), surviving: identifier(2) }],
    },
    sealed: { values: [`N${number}`] },
  }) as unknown as Given;
const fold = (...events: readonly Given[]) => foldAll(patients, recorded(events));

describe("a list of all identifiers of a record", () => {
  const has = (...events: readonly Given[]) =>
    fold(...events)
      .patient_identifiers?.filter(({ patient_id }) => patient_id === ann)
      .map(({ value, strong }) => [value, strong]);

  it("takes what it leaves out from the record and links it no longer, whichever list comes first", () => {
    const other = listed(bob, 5, [2, 9]);
    const [before, after] = [listed(ann, 10, [1, 9]), listed(ann, 20, [1])];
    expect(fold(other, before).persons).toHaveLength(1);
    for (const order of [
      [before, after],
      [after, before],
    ]) {
      expect(has(...order)).toEqual([["N1", true]]);
      expect(fold(other, ...order).persons).toHaveLength(2);
    }
    expect(has(before, after, listed(ann, 30, [1, 9]))).toEqual([
      ["N1", true],
      ["N9", true],
    ]);
  });

  it("says by itself which identifiers are strong: one that it has as an old one links no longer", () => {
    const weak = listed(ann, 20, [1, 9], "fhir", false);
    expect(has(listed(ann, 10, [1, 9]), weak)).toEqual(has(weak));
    expect(fold(listed(bob, 5, [2, 9]), listed(ann, 10, [1, 9]), weak).persons).toHaveLength(2);
  });

  it("takes nothing that others told, or the same source beside its lists, or a merge", () => {
    const beside = told(ann, 5, [3], "fhir");
    const kept = has(beside, listed(ann, 6, [4], "lab"), merged(7, ann, bob, 5), listed(ann, 20, [1]));
    expect(kept?.map(([value]) => value)).toEqual(["N1", "N3", "N4", "N5"]);
  });
});
