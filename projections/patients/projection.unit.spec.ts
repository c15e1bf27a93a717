import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import patients from "./projection.js";

const idOf = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;
const ann = idOf("a", 1);
const bob = idOf("a", 2);
const eve = idOf("a", 3);
const identifier = (number: number, strong = false, type = "MR") => ({
  identifierId: idOf("b", number),
  authority: "NORTH",
  type,
  strong,
});

type Given = Parameters<typeof recorded>[0][number];
const told = (key: string, time: number, fields: object, sealed: object = {}, source = "north"): Given =>
  ({
    type: "PatientUpdated",
    key,
    time,
    fields: { facility: "NORTH", ...fields },
    sealed,
    meta: { source },
  }) as unknown as Given;

/** A merge as it is sent: on both keys. `one` and `other` number the identifiers of the two. */
const merged = (time: number, retired: string, surviving: string, one = 1, other = 2): Given[] =>
  (["SURVIVING", "RETIRED"] as const).map((role) => ({
    type: "PatientsMerged",
    key: role === "RETIRED" ? retired : surviving,
    time,
    fields: {
      facility: "NORTH",
      role,
      survivingPatientId: surviving,
      retiredPatientId: retired,
      merges: [{ retired: identifier(one), surviving: identifier(other) }],
    },
    sealed: { values: [role === "RETIRED" ? `N${one}` : `N${other}`] },
  }));

const fold = (...events: readonly Given[]) => foldAll(patients, recorded(events));
const rowOf = (...events: readonly Given[]) => fold(...events).patients?.[0];

describe("a patient", () => {
  it("has the columns analysts are promised", () => {
    const details = {
      familyName: "Lind",
      givenNames: ["Aron", "B"],
      birthDate: "1990-02-03",
      address: "1 Ash Street, Boston",
      telecom: ["555"],
      identifierValues: ["N000001"],
    };
    const fields = { identifiers: [identifier(1, true)], sex: "M", birthYear: 1990, deceased: false };
    const tables = fold(told(ann, 10, fields, details), told(ann, 20, {}, {}, "lab"));
    expect(tables.patients).toMatchObject([
      {
        patient_id: ann,
        status: "active",
        merged_into: null,
        sex: "M",
        birth_year: 1990,
        deceased: false,
        partners: ["lab", "north"],
        first_seen_at: Date.UTC(2026, 0, 1, 0, 0, 1),
        family_name: "Lind",
        given_names: ["Aron", "B"],
        birth_date: "1990-02-03",
        address: "1 Ash Street, Boston",
        telecom: ["555"],
      },
    ]);
    expect(tables.patient_identifiers).toEqual([
      {
        patient_id: ann,
        identifier_id: idOf("b", 1),
        authority: "NORTH",
        type: "MR",
        strong: true,
        source: "pid",
        value: "N000001",
      },
    ]);
    expect(tables.persons).toEqual([{ person_id: ann, patient_ids: [ann] }]);
  });

  it("keeps, sets and clears each attribute by event time", () => {
    const first = told(ann, 10, { sex: "M", birthYear: 1990 }, { familyName: "Lind", telecom: ["555"] });
    expect(rowOf(first, told(ann, 20, { sex: "F" }))).toMatchObject({
      sex: "F",
      birth_year: 1990,
      family_name: "Lind",
    });
    expect(rowOf(first, told(ann, 20, { cleared: ["sex", "telecom"] }))).toMatchObject({
      sex: null,
      telecom: null,
      birth_year: 1990,
    });
    expect(rowOf(told(ann, 20, { cleared: ["sex"] }), first)).toMatchObject({ sex: null, birth_year: 1990 });
    expect(rowOf(first, told(ann, 5, { sex: "F", deceased: true }))).toMatchObject({ sex: "M", deceased: true });
  });

  it("takes the later of two messages of one time", () => {
    expect(rowOf(told(ann, 10, { sex: "M" }), told(ann, 10, { sex: "F" }))).toMatchObject({ sex: "F" });
  });

  it("never parks for what is sealed", () => {
    const odd = { familyName: "L\0ind\ud800", birthDate: "1990-02-30", givenNames: ["\0"] };
    expect(rowOf(told(ann, 10, {}, odd))).toMatchObject({ family_name: "Lind", birth_date: null, given_names: null });
    expect(rowOf(told(ann, 10, {}, { birthDate: "1990-02" }))).toMatchObject({ birth_date: null });
  });
});

describe("a merge", () => {
  it("retires a patient never seen before, and makes the survivor", () => {
    const tables = fold(...merged(10, ann, bob));
    expect(tables.patients).toMatchObject([
      { patient_id: ann, status: "merged", merged_into: bob },
      { patient_id: bob, status: "active", merged_into: null },
    ]);
    expect(tables.patient_identifiers).toMatchObject([
      { patient_id: ann, source: "mrg", value: "N1" },
      { patient_id: bob, source: "mrg", value: "N2" },
    ]);
    expect(tables.persons).toEqual([{ person_id: ann, patient_ids: [ann, bob] }]);
    expect(tables.identifier_survivors).toMatchObject([{ value: "N1", survivor_value: "N2" }]);
  });

  it("stands when facts of the retired patient follow", () => {
    expect(rowOf(...merged(10, ann, bob), told(ann, 20, { sex: "M" }))).toMatchObject({ status: "merged", sex: "M" });
  });

  it("is decided by event time, chained ones to the end", () => {
    const tables = fold(...merged(20, ann, eve, 1, 3), ...merged(10, ann, bob, 1, 2), ...merged(30, eve, bob, 3, 2));
    expect(tables.patients).toMatchObject([{ merged_into: eve }, { status: "active" }, { merged_into: bob }]);
    expect(tables.identifier_survivors).toMatchObject([
      { value: "N1", survivor_value: "N2" },
      { value: "N3", survivor_value: "N2" },
    ]);
  });

  it("into itself changes nobody", () => {
    expect(rowOf(...merged(10, ann, ann, 1, 1))).toMatchObject({ status: "active", merged_into: null });
  });

  it("doesn't hide that a message gave the identifier", () => {
    const given = told(ann, 5, { identifiers: [identifier(1)] }, { identifierValues: ["N1"] });
    for (const events of [
      [given, ...merged(10, ann, bob)],
      [...merged(10, ann, bob), given],
    ]) {
      expect(fold(...events).patient_identifiers?.[0]).toMatchObject({ patient_id: ann, source: "pid" });
    }
  });
});

const someone = fc.constantFrom(ann, bob, eve);
const anyTold = fc
  .record({
    key: someone,
    time: fc.nat(3),
    sex: fc.constantFrom("M", "F", null),
    deceased: fc.constantFrom(true, false, null),
    cleared: fc.subarray(["sex", "deceased", "familyName", "telecom"]),
    name: fc.constantFrom("Lind", "Berg", null),
    source: fc.constantFrom("north", "lab"),
    number: fc.nat(3),
    strong: fc.boolean(),
  })
  .map(({ key, time, name, source, number, strong, ...fields }) => [
    told(
      key,
      time,
      { ...fields, identifiers: [identifier(number, strong)] },
      { familyName: name, identifierValues: [`N${number}`] },
      source,
    ),
  ]);
const anyMerge = fc
  .tuple(fc.nat(3), someone, someone, fc.nat(3), fc.nat(3))
  .map(([time, retired, surviving, one, other]) => merged(time, retired, surviving, one, other));
const anyEvents = fc.array(fc.oneof(anyTold, anyMerge), { minLength: 1, maxLength: 8 }).map((given) => given.flat());

describe("any events of patients", () => {
  it("give the same rows in any order of arrival", () => {
    fc.assert(
      fc.property(anyEvents, fc.func(fc.integer()), (given, shuffle) => {
        const events = recorded(given);
        const shuffled = [...events].sort((a, b) => shuffle(a.position.offset) - shuffle(b.position.offset));
        expect(foldAll(patients, shuffled)).toEqual(foldAll(patients, events));
      }),
    );
  });

  it("give the same clear columns without the sealed content", () => {
    fc.assert(
      fc.property(anyEvents, (given) => {
        const events = recorded(given);
        const bare = foldAll(
          patients,
          events.map((event) => ({ ...event, sealed: null })),
        );
        const full = foldAll(patients, events);
        for (const [name, { columns }] of Object.entries(patients.tables)) {
          const clear = Object.keys(columns).filter((column) => !columns[column]?.restricted);
          const seen = (rows: typeof full) => rows[name]?.map((row) => clear.map((column) => row[column]));
          expect(seen(bare)).toEqual(seen(full));
        }
        expect(bare.persons).toEqual(full.persons);
      }),
    );
  });
});
