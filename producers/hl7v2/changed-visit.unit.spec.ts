import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { eventsOf, only, patient, unitOf, visit } from "./testing/events.js";
import type { Sketch } from "./testing/messages.js";

describe("a visit that changes its patient or number", () => {
  const [before, now] = [patient("NORTH", "MR", "N2"), patient("NORTH", "MR", "N1")];
  const changed = (trigger: string, mrg: string): Sketch => ({
    type: `ADT^${trigger}`,
    pv1: null,
    more: [`MRG|${mrg}`, "PV1|1|I|ICU||||||||||||||||V1^^^NORTH^VN"],
  });
  const told = (sketch: Sketch, profile = {}) =>
    eventsOf(sketch, profile).filter(({ type }) => type === "VisitMoved" || type === "VisitsMerged");

  it("is moved by A45 to the patient of the message", () => {
    expect(told(changed("A45", "N2^^^NORTH^MR||||V1^^^NORTH^VN"))).toMatchObject([
      {
        type: "VisitMoved",
        subject: visit("NORTH", "V1"),
        fields: { patientId: now, fromPatientId: before },
        sealed: { visitNumber: "V1" },
      },
    ]);
    expect(unitOf(changed("A45", "N2^^^NORTH^MR||||V1^^^NORTH^VN")).sealFor).toEqual([now, before]);
  });

  it.each(["A50", "A42"])("gets another number by %s, told on both", (trigger) => {
    const [surviving, retired] = [visit("NORTH", "V1"), visit("NORTH", "V0")];
    expect(told(changed(trigger, "N1^^^NORTH^MR||||V0^^^NORTH^VN"))).toMatchObject([
      { subject: surviving, fields: { role: "SURVIVING", survivingVisitId: surviving, retiredVisitId: retired } },
      { subject: retired, fields: { role: "RETIRED" }, sealed: { visitNumber: "V0" } },
    ]);
    expect(told(changed(trigger, "N1^^^NORTH^MR||||V1^^^NORTH^VN"))).toEqual([]);
  });

  it.each(["A06", "A07"])("is replaced by the one that %s begins, where MRG-5 names another", (trigger) => {
    const [surviving, retired] = [visit("NORTH", "V1"), visit("NORTH", "V0")];
    const sketch = changed(trigger, "N1^^^NORTH^MR||||V0^^^NORTH^VN");
    expect(eventsOf(sketch).map(({ type, subject }) => [type, subject])).toEqual([
      ["PatientUpdated", now],
      ["VisitStarted", surviving],
      ["VisitsMerged", surviving],
      ["VisitsMerged", retired],
    ]);
    expect(told(sketch)[1]).toMatchObject({
      fields: { role: "RETIRED", survivingVisitId: surviving, retiredVisitId: retired, patientId: now },
      sealed: { visitNumber: "V0" },
    });
    expect(unitOf(sketch).flags).toEqual([]);
    // The account alone changes, or nothing does.
    for (const mrg of ["||ACCOUNT", "N1^^^NORTH^MR||||V1^^^NORTH^VN", "N1^^^NORTH^MR"]) {
      expect(told(changed(trigger, mrg))).toEqual([]);
      expect(unitOf(changed(trigger, mrg)).flags).toEqual([]);
    }
    const unnumbered = unitOf({ ...sketch, more: ["MRG|||||V0^^^NORTH^VN", "PV1|1|I|ICU"] });
    expect(unnumbered.flags).toEqual(["VISIT_UNIDENTIFIED", "CONTENT_KEPT"]);
    expect(unnumbered.events.map(({ type }) => type)).toEqual(["PatientUpdated"]);
  });

  it("has the authority of PV1-19 where MRG-5 names none, unless the profile says otherwise", () => {
    const sketch = changed("A50", "N1^^^NORTH^MR||||V0");
    const retired = (profile = {}) => told(sketch).length && told(sketch, profile)[1]?.subject;
    expect(retired()).toBe(visit("NORTH", "V0"));
    expect(unitOf(sketch).flags).toEqual(["PRIOR_AUTHORITY_ASSUMED"]);
    expect(retired({ identifiers: { priorNumbers: "facility" } })).toBe(visit("@NORTH", "V0"));
    const bare = { ...sketch, more: ["MRG|N1^^^NORTH^MR||||V0", "PV1|1|I|ICU||||||||||||||||V1"] };
    expect(told(bare).map(({ subject }) => subject)).toEqual([visit("@NORTH", "V1"), visit("@NORTH", "V0")]);
    expect(unitOf(bare).flags).toEqual([]);
  });

  it("comes from the record that MRG-1 means, whose type it leaves out", () => {
    const [moved] = told(changed("A45", "N2^^^NORTH||||V1^^^NORTH^VN"));
    expect(moved).toMatchObject({ type: "VisitMoved", fields: { fromPatientId: before } });
    expect(told(changed("A45", "N1||||V1"), { identifiers: { priorNumbers: "own" } })).toEqual([]);
  });

  it("that is named by no number is flagged and kept: an alternate id alone names no visit", () => {
    const unnamed = {
      pv1: null,
      more: ["MRG|N2^^^NORTH^MR|||||OLD^^^NORTH^XX", `PV1|1|I${"|".repeat(48)}NEW^^^NORTH^XX`],
    };
    for (const trigger of ["A45", "A50", "A51"]) {
      const unit = unitOf({ type: `ADT^${trigger}`, ...unnamed });
      expect(unit.verdict).toEqual({ accepted: true });
      expect(unit.flags).toEqual(expect.arrayContaining(["VISIT_UNIDENTIFIED", "CONTENT_KEPT"]));
      expect(unit.events.map(({ type }) => type)).toEqual(["PatientUpdated"]);
    }
    expect(unitOf(changed("A50", "N1^^^NORTH^MR||||V0^^^NORTH^VN")).flags).not.toContain("VISIT_UNIDENTIFIED");
  });

  it("is deleted by A23", () => {
    expect(only({ type: "ADT^A23" }, "VisitCancelled").fields.cancels).toBe("VISIT");
  });
});

describe("alternate identifiers of a visit", () => {
  const alternate = (value: string, type = "XX") => testSurrogate("visit", "EAST", type, value);
  const pv1 = (...ids: string[]) => `PV1|1|I|ICU||||||||||||||||V1^^^NORTH^VN${"|".repeat(31)}${ids.join("~")}`;
  const sent = (trigger: string, ids: string[], mrg?: string): Sketch => ({
    type: trigger,
    pv1: null,
    more: [...(mrg === undefined ? [] : [`MRG|N1^^^NORTH^MR|||||${mrg}`]), pv1(...ids)],
  });
  const [visitId, patientId] = [visit("NORTH", "V1"), patient("NORTH", "MR", "N1")];

  it.each(["ADT^A01", "ADT^A05", "ADT^A02", "ADT^A03", "ADT^A08", "ADT^A11", "ADT^A12", "ADT^A13", "ORU^R01"])(
    "come with %s, their values sealed",
    (trigger) => {
      const events = eventsOf(sent(trigger, ["T-1^^^EAST^XX", "T-2^^^EAST"])).filter(
        ({ subject }) => subject === visitId,
      );
      const clear = [
        { identifierId: alternate("T-1"), authority: "EAST", type: "XX" },
        { identifierId: alternate("T-2", ""), authority: "EAST", type: "" },
      ];
      expect(events).toMatchObject([
        { fields: { identifiers: clear }, sealed: { visitNumber: "V1", identifierValues: ["T-1", "T-2"] } },
      ]);
      expect(JSON.stringify(events.map(({ fields }) => fields))).not.toContain("T-1");
    },
  );

  it("change by A51: the one of MRG-6 leaves, the one of PV1-50 is told", () => {
    const unit = unitOf(sent("ADT^A51", ["T-1^^^EAST^XX"], "T-0^^^EAST^XX"));
    const common = { subject: visitId, sealFor: patientId };
    expect(unit.events.slice(1)).toMatchObject([
      { type: "VisitUpdated", ...common, fields: { identifiers: [{ identifierId: alternate("T-1") }] } },
      {
        type: "VisitIdentifiersLeft",
        ...common,
        fields: { patientId, authority: "NORTH", identifiers: [{ identifierId: alternate("T-0"), type: "XX" }] },
        sealed: { visitNumber: "V1", identifierValues: ["T-0"] },
      },
    ]);
    expect(unit.flags).not.toContain("CONTENT_KEPT");
    // Deleted, and nothing in its place.
    const deleted = eventsOf(sent("ADT^A51", ['""'], "T-0^^^EAST^XX"));
    expect(deleted.slice(1).map(({ fields }) => (fields as { identifiers?: unknown[] }).identifiers?.length)).toEqual([
      undefined,
      1,
    ]);
  });

  it("that MRG-6 and PV1-50 both name stay, and only A51 takes any away", () => {
    const left = (sketch: Sketch) => eventsOf(sketch).filter(({ type }) => type === "VisitIdentifiersLeft");
    expect(left(sent("ADT^A51", ["T-0^^^EAST^XX"], "T-0^^^EAST^XX"))).toEqual([]);
    expect(left(sent("ADT^A51", ["T-0^^^EAST^XX"]))).toEqual([]);
    expect(left(sent("ADT^A50", ["T-1^^^EAST^XX"], "T-0^^^EAST^XX"))).toEqual([]);
  });
});
