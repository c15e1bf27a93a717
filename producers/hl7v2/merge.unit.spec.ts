import { describe, expect, it } from "vitest";
import { eventsOf, patient, unitOf, visit } from "./testing/events.js";
import type { Sketch } from "./testing/messages.js";

describe("a merge", () => {
  const merge = (pid: string, mrg: string, ...more: string[]): Sketch => ({
    type: "ADT^A40",
    pid: `1||${pid}`,
    pv1: null,
    more: [`MRG|${mrg}`, ...more],
  });

  it.each(["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"])(
    "is what ADT^%s says, on both patients",
    (trigger) => {
      const unit = unitOf({ ...merge("N1^^^NORTH^MR", "N2^^^NORTH^MR"), type: `ADT^${trigger}` });
      const [survivor, retired] = [patient("NORTH", "MR", "N1"), patient("NORTH", "MR", "N2")];
      expect(unit.events.map(({ type, subject }) => [type, subject])).toEqual([
        ["PatientUpdated", survivor],
        ["PatientsMerged", survivor],
        ["PatientsMerged", retired],
      ]);
      expect(unit.events.slice(1).map(({ fields, sealed, sealFor }) => ({ fields, sealed, sealFor }))).toMatchObject([
        {
          fields: { role: "SURVIVING", survivingPatientId: survivor, retiredPatientId: retired },
          sealed: { values: ["N1"] },
          sealFor: survivor,
        },
        {
          fields: { role: "RETIRED", survivingPatientId: survivor, retiredPatientId: retired },
          sealed: { values: ["N2"] },
          sealFor: retired,
        },
      ]);
      expect(unit.sealFor).toEqual([survivor, retired]);
    },
  );

  it("of an identifier longer than the read models take is refused where it stands", () => {
    const long = "9".repeat(1_100);
    const of = (pid: string, mrg: string) => unitOf(merge(pid, mrg)).verdict;
    expect(of("N1^^^NORTH^MR", "N2^^^NORTH^MR")).toEqual({ accepted: true });
    expect(of("N1^^^NORTH^MR", `${long}^^^NORTH^MR`)).toMatchObject({ accepted: false, location: "MRG-1" });
    expect(of("N1^^^NORTH^MR", `N2^^^${long}^MR`)).toMatchObject({ accepted: false, location: "MRG-1" });
    expect(of(`${long}^^^NORTH^MR`, "N2^^^NORTH^MR")).toMatchObject({ accepted: false, location: "PID-3" });
  });

  it("pairs identifiers of the same authority and type, else the same authority, else the first as sent", () => {
    const events = eventsOf(merge("N1^^^NORTH^MR~E1^^^MPI^PI", "N2^^^NORTH^MR~E2^^^MPI~Q2^^^OTHER^MR"));
    const merged = events.find((event) => event.type === "PatientsMerged");
    if (merged?.type !== "PatientsMerged") throw new Error("no merge");
    expect(merged.fields.merges?.map(({ retired, surviving }) => [retired.authority, surviving.authority])).toEqual([
      ["NORTH", "NORTH"],
      ["MPI", "MPI"],
      ["OTHER", "NORTH"],
    ]);
    expect(merged.sealed).toEqual({ values: ["N1", "E1", "N1"] });
  });

  describe("that leaves out authority or type", () => {
    const retired = (pid: string, mrg: string, priorNumbers = "alike") => {
      const unit = unitOf(merge(pid, mrg), { identifiers: { priorNumbers } });
      const merged = unit.events.find((event) => event.type === "PatientsMerged");
      return [merged?.type === "PatientsMerged" && merged.fields.retiredPatientId, ...(unit.flags ?? [])];
    };
    const [one, two, index] = ["N1^^^NORTH^MR", "N1^^^NORTH^MR~A1^^^NORTH^AN", "E1^^^MPI^PI~N1^^^NORTH^MR"];
    const [meant, local] = [patient("NORTH", "MR", "N2"), patient("@NORTH", "", "N2")];

    it.each([
      ["one kind", one, "N2", [meant, "PRIOR_AUTHORITY_ASSUMED"]],
      ["one kind", one, "N2^^^^MR", [meant, "PRIOR_AUTHORITY_ASSUMED"]],
      ["one kind", one, "N2^^^NORTH", [meant]],
      ["one kind of the authority", "N1^^^NORTH^MR~E1^^^MPI^PI", "N2^^^NORTH", [meant]],
      ["one kind of the type", index, "N2^^^^MR", [meant, "PRIOR_AUTHORITY_ASSUMED"]],
      ["numbers without an authority too", "N1~E1^^^MPI^PI", "N2", [local, "AUTHORITY_FROM_FACILITY"]],
      [
        "a kind of numbers without an authority",
        "N1^^^^MR~E1^^^MPI^PI",
        "N2",
        [patient("@NORTH", "MR", "N2"), "AUTHORITY_FROM_FACILITY"],
      ],
    ])("retires the record of the kind that PID-3 has: %s", (_what, pid, mrg, expected) => {
      expect(retired(pid, mrg)).toEqual(expected);
    });

    it("is flagged where PID-3 has several kinds, of which nobody can say which is meant", () => {
      expect(retired(two, "N2^^^NORTH")).toEqual([patient("NORTH", "", "N2"), "MERGE_TYPE_UNKNOWN"]);
      expect(retired(index, "N2")).toEqual([local, "MERGE_AUTHORITY_FROM_FACILITY"]);
      expect(retired(one, "N2^^^OTHER")).toEqual([patient("OTHER", "", "N2"), "MERGE_TYPE_UNKNOWN"]);
    });

    it("is of the facility's own kind, or taken as it stands, where the profile says so", () => {
      expect(retired(index, "N2", "own")).toEqual([meant, "PRIOR_AUTHORITY_ASSUMED"]);
      expect(retired(two, "N2^^^NORTH", "own")).toEqual([meant]);
      expect(retired(index, "E2^^^MPI", "own")).toEqual([patient("MPI", "PI", "E2")]);
      expect(retired(one, "N2", "facility")).toEqual([local, "MERGE_AUTHORITY_FROM_FACILITY"]);
      expect(retired(one, "N2^^^NORTH", "facility")).toEqual([patient("NORTH", "", "N2"), "MERGE_TYPE_UNKNOWN"]);
    });

    it("is into itself where it is the same number of the same kind", () => {
      expect(retired(one, "N1^^^NORTH")).toEqual([false, "SELF_MERGE"]);
      expect(retired(one, "N1", "facility")).toEqual([patient("@NORTH", "", "N1"), "MERGE_AUTHORITY_FROM_FACILITY"]);
    });

    it("goes by the PID before it, also as to whose keys it is sealed under", () => {
      const unit = unitOf(merge("E1^^^MPI^PI", "E2", "PID|2||N1^^^NORTH^MR", "MRG|N2"));
      expect(unit.sealFor).toEqual([
        ...[patient("MPI", "PI", "E1"), patient("MPI", "PI", "E2")],
        ...[patient("NORTH", "MR", "N1"), meant],
      ]);
    });
  });

  it("falls back to the first identifier as sent, also where it is not the facility's own", () => {
    const merged = eventsOf(merge("E1^^^MPI^PI~N1^^^NORTH^MR", "Q2^^^OTHER")).find(
      ({ type }) => type === "PatientsMerged",
    );
    expect(merged).toMatchObject({ subject: patient("NORTH", "MR", "N1"), sealed: { values: ["E1"] } });
  });

  it("of several pairs gives each MRG to the PID before it", () => {
    const events = eventsOf(merge("N1^^^NORTH^MR", "N2^^^NORTH^MR", "PID|2||N3^^^NORTH^MR", "MRG|N4^^^NORTH^MR"));
    const pairs = events.flatMap(({ type, fields }) =>
      type === "PatientsMerged" && "role" in fields && fields.role === "RETIRED"
        ? [[fields.retiredPatientId, fields.survivingPatientId]]
        : [],
    );
    expect(pairs).toEqual([
      [patient("NORTH", "MR", "N2"), patient("NORTH", "MR", "N1")],
      [patient("NORTH", "MR", "N4"), patient("NORTH", "MR", "N3")],
    ]);
    expect(events.filter(({ type }) => type === "PatientUpdated").length).toBe(2);
  });

  it("leaves out an identifier that both sides share", () => {
    const merged = eventsOf(merge("N1^^^NORTH^MR~E1^^^MPI^PI", "N2^^^NORTH^MR~E1^^^MPI^PI")).find(
      ({ type }) => type === "PatientsMerged",
    );
    expect(merged?.sealed).toEqual({ values: ["N1"] });
  });

  it("of identifiers of different types is held for a person, and merges nothing", () => {
    const unit = unitOf(merge("N1^^^NORTH^MR", "S9^^^USA^SS"));
    const retired = patient("USA", "SS", "S9");
    expect(unit).toMatchObject({ verdict: { accepted: true }, flags: ["MERGE_HELD"] });
    expect(unit.events.map(({ type }) => type)).toEqual(["PatientUpdated", "PatientMergeHeld"]);
    expect(unit.events[1]).toMatchObject({
      subject: retired,
      fields: { survivingPatientId: patient("NORTH", "MR", "N1"), reason: "TYPES_DIFFER" },
    });
    expect(unit.sealFor).toContain(retired);
    // One that names no type, and one that says that the id changes, are meant.
    for (const [sketch, count] of [
      [merge("N1^^^NORTH^MR", "S9^^^USA"), 2],
      [{ ...merge("N1^^^NORTH^MR", "S9^^^USA^SS"), type: "ADT^A47" }, 2],
      [merge("N1^^^NORTH^MR~E1^^^MPI^PI", "N2^^^NORTH^MR~E2^^^MPI^XX"), 2],
    ] as const) {
      expect(eventsOf(sketch).filter(({ type }) => type === "PatientsMerged").length).toBe(count);
    }
    const [survivor] = eventsOf(merge("N1^^^NORTH^MR~E1^^^MPI^PI", "N2^^^NORTH^MR~E2^^^MPI^XX")).slice(1);
    expect(survivor?.sealed).toEqual({ values: ["N1"] });
  });

  it("into itself is refused, and so is one without anything to retire", () => {
    const verdict = (sketch: Sketch) => unitOf(sketch).verdict;
    expect(verdict(merge("N1^^^NORTH^MR", "N1^^^NORTH^MR"))).toEqual({
      accepted: false,
      code: "205",
      location: "MRG-1",
    });
    expect(verdict(merge("N1^^^NORTH^MR", ""))).toEqual({ accepted: false, code: "101", location: "MRG-1" });
    expect(verdict({ type: "ADT^A40", pv1: null })).toEqual({ accepted: false, code: "100", location: "MRG" });
    expect(verdict(merge("N1^^^NORTH^MR", "N2^^^NORTH^MR", "PID|2||", "MRG|N4"))).toMatchObject({
      location: "PID[2]-3",
    });
  });

  it("that moves something else than a patient is none", () => {
    for (const trigger of ["A45", "A35"]) {
      const events = eventsOf({ type: `ADT^${trigger}`, pv1: null, more: ["MRG|N2^^^NORTH^MR"] });
      expect(events.map(({ type }) => type)).toEqual(["PatientUpdated"]);
    }
  });

  it.each(["A46", "A47"])(
    "by %s that changes another number than the record's own takes it from the record",
    (trigger) => {
      const change = (pid: string, mrg: string) =>
        eventsOf({ ...merge(pid, mrg), type: `ADT^${trigger}` }).filter(
          ({ type }) => type === "PatientIdentifiersLeft",
        );
      expect(change("N1^^^NORTH^MR~S2^^^USA^SS", "N1^^^NORTH^MR~S1^^^USA^SS")).toMatchObject([
        {
          subject: patient("NORTH", "MR", "N1"),
          fields: { identifiers: [{ identifierId: patient("USA", "SS", "S1") }], toPatientId: null, reason: "CHANGED" },
        },
      ]);
      expect(change("N1^^^NORTH^MR", "N2^^^NORTH^MR")).toEqual([]);
    },
  );
});

describe("a move of identifiers (A43)", () => {
  const move = (pid: string, ...mrg: string[]): Sketch => ({
    type: "ADT^A43",
    pid: `1||${pid}`,
    pv1: null,
    more: mrg.map((fields) => `MRG|${fields}`),
  });
  const left = (sketch: Sketch) => eventsOf(sketch).filter(({ type }) => type !== "PatientUpdated");

  it("tells the record that they come to, and the one that they leave", () => {
    const unit = unitOf(move("N1^^^NORTH^MR~S1^^^USA^SS", "N2^^^NORTH^MR~S1^^^USA^SS"));
    const [to, from] = [patient("NORTH", "MR", "N1"), patient("NORTH", "MR", "N2")];
    expect(unit).toMatchObject({ verdict: { accepted: true }, flags: [], sealFor: [to, from] });
    expect(unit.events).toMatchObject([
      { type: "PatientUpdated", subject: to },
      {
        type: "PatientIdentifiersLeft",
        subject: from,
        fields: {
          identifiers: [{ identifierId: patient("USA", "SS", "S1"), authority: "USA", type: "SS" }],
          toPatientId: to,
          reason: "MOVED",
        },
      },
    ]);
  });

  it("of a record's own number takes from that record what only MRG-1 has", () => {
    const own = patient("NORTH", "MR", "N1");
    expect(left(move("E2^^^MPI^PI~N1^^^NORTH^MR", "E1^^^MPI^PI~N1^^^NORTH^MR"))).toMatchObject([
      { subject: own, fields: { identifiers: [{ identifierId: patient("MPI", "PI", "E1") }], toPatientId: null } },
    ]);
  });

  it("of a record number that was merged undoes the merge into the record that it leaves", () => {
    const [moved, from] = [patient("NORTH", "MR", "N3"), patient("NORTH", "MR", "N2")];
    expect(left(move("N1^^^NORTH^MR~N3^^^NORTH^MR", "N2^^^NORTH^MR~N3^^^NORTH^MR"))).toMatchObject([
      { type: "PatientIdentifiersLeft", subject: from, fields: { identifiers: [{ identifierId: moved }] } },
      { type: "PatientsUnmerged", subject: moved, fields: { otherPatientId: from } },
      { type: "PatientsUnmerged", subject: from, fields: { otherPatientId: moved } },
    ]);
  });

  it("of several records tells each, every MRG with the PID before it", () => {
    const [first, second] = ["S1^^^USA^SS", "S4^^^USA^SS"];
    const sketch = move(`N1^^^NORTH^MR~${first}`, `N2^^^NORTH^MR~${first}`);
    const more = [...(sketch.more ?? []), `PID|2||N3^^^NORTH^MR~${second}`, `MRG|N4^^^NORTH^MR~${second}`];
    const events = eventsOf({ ...sketch, more });
    expect(events.map(({ type, subject }) => [type, subject])).toEqual([
      ["PatientUpdated", patient("NORTH", "MR", "N1")],
      ["PatientIdentifiersLeft", patient("NORTH", "MR", "N2")],
      ["PatientUpdated", patient("NORTH", "MR", "N3")],
      ["PatientIdentifiersLeft", patient("NORTH", "MR", "N4")],
    ]);
  });

  it.each([
    ["no record that they leave", "S1^^^USA^SS"],
    ["nothing that both have", "N2^^^NORTH^MR"],
    ["nothing", ""],
  ])("that names %s in MRG-1 takes nothing from anybody, and is flagged", (_what, mrg) => {
    const unit = unitOf(move("N1^^^NORTH^MR~S1^^^USA^SS", mrg));
    expect(unit).toMatchObject({ verdict: { accepted: true }, flags: ["MOVE_UNCLEAR"] });
    expect(unit.events.map(({ type }) => type)).toEqual(["PatientUpdated"]);
  });

  it("without MRG is refused", () => {
    expect(unitOf(move("N1^^^NORTH^MR||Doe")).verdict).toEqual({ accepted: false, code: "100", location: "MRG" });
  });
});

describe("records of one person", () => {
  const two = (trigger: string): Sketch => ({ type: `ADT^${trigger}`, pv1: null, more: ["PID|2||N2^^^NORTH^MR"] });
  const [first, second] = [patient("NORTH", "MR", "N1"), patient("NORTH", "MR", "N2")];

  it.each([
    ["A24", "PatientsLinked"],
    ["A37", "PatientsUnmerged"],
  ])("%s: %s on both", (trigger, type) => {
    const unit = unitOf(two(trigger));
    expect(unit.events.slice(1)).toMatchObject([
      { type, subject: first, fields: { otherPatientId: second } },
      { type, subject: second, fields: { otherPatientId: first } },
    ]);
    expect(unit.sealFor).toEqual([first, second]);
    expect(eventsOf({ ...two(trigger), more: ["PID|2||N1^^^NORTH^MR"] }).length).toBe(1);
  });

  it("that change places (A17) are both told, each with the place of its visit", () => {
    const more = ["PID|2||N2^^^NORTH^MR", "PV1|2|I|ICU^9||||||||||||||||V2^^^NORTH^VN"];
    const unit = unitOf({ type: "ADT^A17", more });
    expect(unit.events.map(({ type, subject }) => [type, subject])).toEqual([
      ["PatientUpdated", first],
      ["VisitTransferred", visit("NORTH", "V1")],
      ["PatientUpdated", second],
      ["VisitTransferred", visit("NORTH", "V2")],
    ]);
    expect(unit.events[3]?.fields).toMatchObject({ patientId: second, location: "ICU^9" });
  });

  it("in a message that is about one are flagged, and all of them can have it destroyed", () => {
    const unit = unitOf({ type: "ORU^R01", more: ["PID|2||N2^^^NORTH^MR"] });
    expect(unit.flags).toContain("FURTHER_PATIENTS");
    expect(unit.sealFor).toEqual([first, second]);
    expect(unit.events.every(({ subject }) => subject !== second)).toBe(true);
  });
});
