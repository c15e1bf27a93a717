import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import visits from "./projection.js";

const visit = "00000000-0000-0000-0000-0000000000a1";
const patient = "00000000-0000-0000-0000-0000000000b1";
const otherPatient = "00000000-0000-0000-0000-0000000000b2";
const known = { facility: "NORTH", authority: "NORTH", patientId: patient };

type Given = Parameters<typeof recorded>[0][number];
type VisitType = Extract<keyof EventInputs, `Visit${string}`> | "EndCancelled" | "TransferCancelled";
const told = <Type extends VisitType>(type: Type, time: number, fields: object = {}, source = "north"): Given =>
  ({
    type,
    key: visit,
    time,
    fields: { ...known, ...fields },
    sealed: { visitNumber: "V000001" },
    meta: { source },
  }) as unknown as Given;

const rowOf = (...events: readonly Given[]) => foldAll(visits, recorded(events)).visits?.[0];

describe("a visit", () => {
  it("shows its whole course in one row", () => {
    const row = rowOf(
      told("VisitPreAdmitted", 10, { class: "P", location: "W1" }),
      told("VisitStarted", 20, { admission: "ADMITTED", class: "I", location: "W1^1^A", startedAt: 18 }),
      told("VisitTransferred", 30, { location: "W2^3^B" }),
      told("VisitEnded", 40, { class: "I", endedAt: 39 }),
    );
    expect(row).toMatchObject({
      visit_id: visit,
      patient_id: patient,
      facility: "NORTH",
      partner: "north",
      class: "I",
      status: "finished",
      location: "W2^3^B",
      authority: "NORTH",
      started_at: 18,
      ended_at: 39,
      cancelled_at: null,
      visit_number: "V000001",
    });
  });

  it("is not undone by a correction that comes late", () => {
    const row = rowOf(
      told("VisitStarted", 10, { admission: "ADMITTED", class: "I", location: "W1" }),
      told("VisitEnded", 40, { class: "I" }),
      told("VisitUpdated", 30, { class: "O", location: "W9" }),
    );
    expect(row).toMatchObject({ status: "finished", class: "I", location: "W9" });
  });

  it("is called off by the deletion of the visit, whatever its state", () => {
    const deleted = told("VisitCancelled", 50, { cancels: "VISIT" });
    const started = told("VisitStarted", 10, { admission: "ADMITTED", class: "I", location: "W1" });
    expect(rowOf(started, told("VisitEnded", 40), deleted)).toMatchObject({ status: "cancelled", cancelled_at: 50 });
    expect(rowOf(deleted, started)).toMatchObject({ status: "cancelled", location: "W1" });
    expect(rowOf(started, deleted, told("VisitStarted", 60, { admission: "ADMITTED" }))).toMatchObject({
      status: "in_progress",
    });
  });

  it("is the patient's to whom it was moved, by event time", () => {
    const moved = told("VisitMoved", 20, { patientId: otherPatient, fromPatientId: patient });
    const started = told("VisitStarted", 10, { admission: "ADMITTED", class: "I" });
    for (const events of [
      [started, moved],
      [moved, started],
    ]) {
      expect(rowOf(...events)).toMatchObject({ patient_id: otherPatient, status: "in_progress", class: "I" });
    }
  });

  it("names the visit whose number stands for it, and goes on as it was", () => {
    const survivingVisitId = "00000000-0000-0000-0000-0000000000a2";
    const merged = (role: string) => told("VisitsMerged", 20, { role, survivingVisitId, retiredVisitId: visit });
    const started = told("VisitStarted", 10, { admission: "ADMITTED", class: "I" });
    expect(rowOf(started, merged("RETIRED"))).toMatchObject({ replaced_by: survivingVisitId, status: "in_progress" });
    expect(rowOf(merged("RETIRED"), started)).toMatchObject({ replaced_by: survivingVisitId });
    expect(rowOf(merged("SURVIVING"))).toMatchObject({ replaced_by: null, status: "referenced" });
  });

  it("is replaced by none that it stands for again, in whatever order that is told; another still replaces it", () => {
    const other = "00000000-0000-0000-0000-0000000000a2";
    const third = "00000000-0000-0000-0000-0000000000a3";
    const left = (time: number, survivingVisitId: string) =>
      told("VisitsMerged", time, { role: "RETIRED", survivingVisitId, retiredVisitId: visit });
    const back = told("VisitsMerged", 30, { role: "SURVIVING", survivingVisitId: visit, retiredVisitId: other });
    for (const events of [
      [left(20, other), back],
      [back, left(20, other)],
    ])
      expect(rowOf(...events)).toMatchObject({ replaced_by: null });
    for (const [by, time] of [[other, 40] as const, [third, 20] as const])
      for (const events of [
        [left(time, by), back],
        [back, left(time, by)],
      ])
        expect(rowOf(...events)).toMatchObject({ replaced_by: by });
  });

  it("honours each cancel", () => {
    const start = told("VisitStarted", 10, { admission: "REGISTERED", location: "A" });
    expect(rowOf(start, told("VisitCancelled", 20, { cancels: "START" }))).toMatchObject({
      status: "cancelled",
      cancelled_at: 20,
    });
    expect(rowOf(start, told("VisitCancelled", 20, { cancels: "UNKNOWN" }))).toMatchObject({ status: "in_progress" });
    expect(rowOf(start, told("VisitEnded", 20), told("EndCancelled", 30))).toMatchObject({
      status: "in_progress",
      ended_at: null,
    });
    expect(rowOf(start, told("VisitTransferred", 20, { location: "B" }), told("TransferCancelled", 30))).toMatchObject({
      location: "A",
    });
  });

  it("belongs to the patient named last by event time, mentions included", () => {
    const start = told("VisitStarted", 10, { admission: "ADMITTED" });
    const mention = told("VisitUpdated", 20, { referenceOnly: true, patientId: otherPatient }, "lab");
    expect(rowOf(mention, start)).toMatchObject({ patient_id: otherPatient, partner: "north", status: "in_progress" });
    expect(rowOf(start, mention, told("VisitUpdated", 30, { patientId: null }))).toMatchObject({
      patient_id: otherPatient,
    });
  });

  it("is referenced while only mentioned, and mentions take no room", () => {
    const mentions = Array.from({ length: 200 }, (_, index) =>
      told("VisitUpdated", index, { referenceOnly: true, class: "I", location: "X" }),
    );
    expect(rowOf(...mentions)).toMatchObject({ status: "referenced", class: null, location: null, steps: [] });
  });
});

const anyEvent: fc.Arbitrary<Given> = fc
  .record({
    type: fc.constantFrom<VisitType>(
      "VisitPreAdmitted",
      "VisitStarted",
      "VisitUpdated",
      "VisitTransferred",
      "VisitEnded",
      "VisitCancelled",
      "TransferCancelled",
      "EndCancelled",
      "VisitMoved",
    ),
    time: fc.nat(4),
    class: fc.constantFrom("I", "O", null),
    location: fc.constantFrom("A", "B", null),
    patientId: fc.constantFrom(patient, otherPatient, null),
    pending: fc.boolean(),
    referenceOnly: fc.boolean(),
    admission: fc.constantFrom("ADMITTED", "REGISTERED"),
    cancels: fc.constantFrom("START", "PRE_ADMISSION", "VISIT"),
    startedAt: fc.option(fc.nat(9)),
    source: fc.constantFrom("north", "lab"),
  })
  .map(({ type, time, source, ...fields }) => told(type, time, fields, source));

describe("any events of a visit", () => {
  it("give the same row in any order of arrival", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 10 }), fc.func(fc.integer()), (given, shuffle) => {
        const events = recorded(given);
        const shuffled = [...events].sort((a, b) => shuffle(a.position.offset) - shuffle(b.position.offset));
        expect(foldAll(visits, shuffled)).toEqual(foldAll(visits, events));
      }),
    );
  });

  it("give the same clear columns without the sealed content", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 8 }), (given) => {
        const events = recorded(given);
        const [row] = foldAll(visits, events).visits ?? [];
        const [bare] =
          foldAll(
            visits,
            events.map((event) => ({ ...event, sealed: null })),
          ).visits ?? [];
        expect(row?.visit_number).toBe("V000001");
        expect(bare).toEqual({ ...row, visit_number: null });
      }),
    );
  });
});

describe("alternate identifiers of a visit", () => {
  const [first, second] = ["00000000-0000-0000-0000-0000000000d1", "00000000-0000-0000-0000-0000000000d2"];
  const clear = (identifierId: string) => [{ identifierId, authority: "EAST", type: "XX" }];
  const said = (
    type: "VisitStarted" | "VisitUpdated" | "VisitIdentifiersLeft",
    time: number,
    id: string,
    value: string,
  ) =>
    ({
      ...told(type, time, { identifiers: clear(id), ...(type === "VisitUpdated" && { referenceOnly: true }) }),
      sealed: { visitNumber: "V000001", identifierValues: [value] },
    }) as Given;
  const history = [
    said("VisitStarted", 10, first, "T-1"),
    said("VisitUpdated", 20, second, "T-2"),
    said("VisitIdentifiersLeft", 21, first, "T-1"),
  ];
  const standing = (...events: readonly Given[]) =>
    foldAll(visits, recorded(events)).visit_identifiers?.map((row) => [row.identifier_id, row.in_use, row.value]);

  it("stay but for the one that was assigned in error, in whatever order it is told", () => {
    const wanted = [
      [first, false, "T-1"],
      [second, true, "T-2"],
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      expect(standing(...order.map((index) => history[index]!))).toEqual(wanted);
    }
    expect(rowOf(...history)).toMatchObject({ status: "in_progress", visit_number: "V000001" });
  });

  it("come back with a later message that gives them again, and are told by no more than their clear part once sealed", () => {
    expect(standing(...history, said("VisitUpdated", 30, first, "T-1"))?.[0]).toEqual([first, true, "T-1"]);
    expect(standing(...history, said("VisitUpdated", 15, first, "T-1"))?.[0]).toEqual([first, false, "T-1"]);
    const late = [said("VisitUpdated", 30, first, "T-1"), said("VisitUpdated", 15, first, "T-1")];
    expect(standing(...history, ...late)?.[0]).toEqual([first, true, "T-1"]);
    const closed = history.map(({ sealed: _sealed, ...event }) => event as Given);
    expect(standing(...closed)).toEqual([
      [first, false, null],
      [second, true, null],
    ]);
  });

  it("that are only told to have left are known as that", () => {
    expect(standing(said("VisitIdentifiersLeft", 21, first, "T-1"))).toEqual([[first, false, "T-1"]]);
    expect(rowOf(said("VisitIdentifiersLeft", 21, first, "T-1"))).toMatchObject({ status: "referenced" });
  });
});
