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

/** An event on the keys of both records. */
const both = (type: "PatientsUnmerged" | "PatientsLinked", time: number, one: string, other: string): Given[] =>
  [
    [one, other],
    [other, one],
  ].map(([key, otherPatientId]) => ({ type, key, time, fields: { facility: "NORTH", otherPatientId } }) as Given);
const held = (time: number, retired: string, survivingPatientId: string): Given =>
  ({
    type: "PatientMergeHeld",
    key: retired,
    time,
    fields: { facility: "NORTH", survivingPatientId, reason: "TYPES_DIFFER" },
  }) as Given;
/** Identifiers that left a record. */
const left = (time: number, key: string, numbers: readonly number[], toPatientId: string | null = null): Given =>
  ({
    type: "PatientIdentifiersLeft",
    key,
    time,
    fields: {
      facility: "NORTH",
      identifiers: numbers.map((number) => identifier(number)),
      toPatientId,
      reason: toPatientId === null ? "CHANGED" : "MOVED",
    },
  }) as Given;

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
        // The second message names no identifier, so when the first did is kept.
        told_at: [10, 0, 1, 0],
        tellings: null,
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

describe("a merge that was undone", () => {
  it("leaves both in use, as if it had never been", () => {
    const tables = fold(...merged(10, ann, bob), ...both("PatientsUnmerged", 20, ann, bob));
    expect(tables.patients).toMatchObject([
      { patient_id: ann, status: "active", merged_into: null },
      { patient_id: bob, status: "active" },
    ]);
    expect(tables.identifier_survivors).toEqual([]);
    expect(tables.patient_survivors).toEqual([]);
    expect(tables.persons).toHaveLength(2);
  });

  it("counts by event time, goes back to the merge before, and may be made again", () => {
    const into = (...events: readonly Given[]) => rowOf(...events)?.merged_into;
    const undone = both("PatientsUnmerged", 20, ann, bob);
    expect(into(...undone, ...merged(10, ann, bob))).toBeNull();
    expect(into(...undone, ...merged(30, ann, bob))).toBe(bob);
    expect(into(...merged(5, ann, eve, 1, 3), ...merged(10, ann, bob), ...undone)).toBe(eve);
    expect(into(...merged(10, ann, eve, 1, 3), ...undone)).toBe(eve);
    const tables = fold(...merged(5, ann, eve, 1, 3), ...merged(10, ann, bob), ...undone);
    expect(tables.identifier_survivors).toMatchObject([{ value: "N1", survivor_value: "N3" }]);
  });
});

describe("a merged record", () => {
  it("is known to stand for the one at the end of its chain, and flagged when a later message still names it", () => {
    const tables = fold(
      ...merged(10, ann, bob),
      ...merged(20, bob, eve, 2, 3),
      told(ann, 15, { sex: "M" }),
      told(bob, 5, {}),
    );
    expect(tables.patients).toMatchObject([{ used_after_merge_at: 15 }, { used_after_merge_at: null }, {}]);
    expect(tables.patient_survivors).toEqual([
      { patient_id: ann, surviving_patient_id: eve },
      { patient_id: bob, surviving_patient_id: eve },
    ]);
  });
});

describe("a merge that waits for a person", () => {
  it("merges nothing and is listed with its reason, until it is sent as it should have been", () => {
    const waiting = { patient_id: ann, surviving_patient_id: bob, reason: "types_differ", held_at: 10 };
    const tables = fold(held(10, ann, bob));
    expect(tables.patients).toMatchObject([{ patient_id: ann, status: "active", merged_into: null }]);
    expect(tables.held_merges).toEqual([waiting]);
    expect(fold(held(10, ann, bob), ...merged(20, ann, bob)).held_merges).toEqual([]);
    expect(fold(held(30, ann, bob), ...merged(20, ann, bob)).held_merges).toMatchObject([{ held_at: 30 }]);
  });

  it("is one that runs in a circle, too, not one that only leads there", () => {
    const circle = [...merged(10, ann, bob), ...merged(20, bob, ann, 2, 1), ...merged(30, eve, ann, 3, 1)];
    const pairs = fold(...circle).held_merges?.map((row) => [row.patient_id, row.surviving_patient_id, row.reason]);
    expect(pairs).toEqual(
      expect.arrayContaining([
        [ann, bob, "circle"],
        [bob, ann, "circle"],
      ]),
    );
    expect(pairs).toHaveLength(2);
    expect(fold(...circle, ...both("PatientsUnmerged", 40, ann, bob)).held_merges).toEqual([]);
  });
});

describe("a link", () => {
  it("makes one person of two records that both stay in use, until it is undone", () => {
    const linked = both("PatientsLinked", 10, ann, bob);
    const tables = fold(...linked);
    expect(tables.patients).toMatchObject([{ status: "active" }, { status: "active" }]);
    expect(tables.persons).toEqual([{ person_id: ann, patient_ids: [ann, bob] }]);
    expect(fold(...linked, ...both("PatientsUnmerged", 20, ann, bob)).persons).toHaveLength(2);
  });
});

describe("identifiers that leave a record", () => {
  const given = (key: string, time: number, ...numbers: number[]) =>
    told(
      key,
      time,
      { identifiers: numbers.map((number) => identifier(number, true)) },
      { identifierValues: numbers.map((number) => `N${number}`) },
    );
  const has = (key: string, ...events: readonly Given[]) =>
    fold(...events)
      .patient_identifiers?.filter(({ patient_id }) => patient_id === key)
      .map(({ value }) => value);

  it("are the other record's alone, and link the two no longer", () => {
    const before = [given(ann, 10, 1, 9), given(bob, 11, 2), given(eve, 12, 3, 9)];
    expect(fold(...before).persons).toHaveLength(2);
    const moved = [...before, given(bob, 20, 2, 9), left(20, ann, [9], bob)];
    expect(has(ann, ...moved)).toEqual(["N1"]);
    expect(has(bob, ...moved)).toEqual(["N2", "N9"]);
    expect(fold(...moved).persons).toEqual([
      { person_id: ann, patient_ids: [ann] },
      { person_id: bob, patient_ids: [bob, eve] },
    ]);
  });

  it("stay away when an older message that names them comes late, and come back with a newer one", () => {
    const events = [given(ann, 10, 1, 9), left(20, ann, [9], bob)];
    expect(has(ann, ...events, given(ann, 15, 1, 9))).toEqual(["N1"]);
    expect(has(ann, ...events, given(ann, 30, 1, 9))).toEqual(["N1", "N9"]);
    // Named again at 30, although the record's latest message is of 40 and doesn't name it.
    expect(has(ann, given(ann, 30, 1, 9), given(ann, 40, 1), left(20, ann, [9], bob))).toEqual(["N1", "N9"]);
    expect(has(ann, given(ann, 10, 1, 9), given(ann, 40, 1), left(20, ann, [9], bob))).toEqual(["N1"]);
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
    numbers: fc.uniqueArray(fc.nat(3), { maxLength: 2 }),
    strong: fc.boolean(),
    identifiersComplete: fc.boolean(),
  })
  .map(({ key, time, name, source, numbers, strong, ...fields }) => [
    told(
      key,
      time,
      { ...fields, identifiers: numbers.map((number) => identifier(number, strong)) },
      { familyName: name, identifierValues: numbers.map((number) => `N${number}`) },
      source,
    ),
  ]);
const anyLeft = fc
  .tuple(fc.nat(3), someone, fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 2 }), fc.option(someone))
  .map(([time, key, numbers, to]) => [left(time, key, numbers, to)]);
const anyMerge = fc
  .tuple(fc.nat(3), someone, someone, fc.nat(3), fc.nat(3))
  .map(([time, retired, surviving, one, other]) => merged(time, retired, surviving, one, other));
const anyOther = fc
  .tuple(fc.nat(3), someone, someone, fc.constantFrom("PatientsUnmerged", "PatientsLinked", "PatientMergeHeld"))
  .map(([time, one, other, type]) =>
    type === "PatientMergeHeld"
      ? [held(time, one, other)]
      : both(type as "PatientsUnmerged" | "PatientsLinked", time, one, other),
  );
const anyEvents = fc
  .array(fc.oneof(anyTold, anyTold, anyMerge, anyOther, anyLeft), { minLength: 1, maxLength: 8 })
  .map((given) => given.flat());

describe("any events of patients", () => {
  it("give the same rows in any order of arrival", () => {
    fc.assert(
      fc.property(anyEvents, fc.func(fc.integer()), (given, shuffle) => {
        const events = recorded(given);
        const shuffled = [...events].sort((a, b) => shuffle(a.position.offset) - shuffle(b.position.offset));
        expect(foldAll(patients, shuffled)).toEqual(foldAll(patients, events));
      }),
      { numRuns: 400 },
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
