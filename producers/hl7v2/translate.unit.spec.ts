import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { eventsOf, only, patient, unitOf, visit } from "./testing/events.js";
import type { Sketch } from "./testing/messages.js";

describe("the visit of a message", () => {
  it.each([
    ["A01", "VisitStarted", { admission: "ADMITTED", class: "I", location: "ICU^1^A^NORTH" }],
    ["A06", "VisitStarted", { admission: "ADMITTED" }],
    ["A04", "VisitStarted", { admission: "REGISTERED" }],
    ["A07", "VisitStarted", { admission: "REGISTERED" }],
    ["A05", "VisitPreAdmitted", { pending: false, location: "ICU^1^A^NORTH" }],
    ["A14", "VisitPreAdmitted", { pending: true, location: null }],
    ["A02", "VisitTransferred", { class: "I", location: "ICU^1^A^NORTH" }],
    ["A03", "VisitEnded", { class: "I" }],
    ["A08", "VisitUpdated", { referenceOnly: false, class: "I", location: "ICU^1^A^NORTH" }],
    ["A11", "VisitCancelled", { cancels: "START" }],
    ["A38", "VisitCancelled", { cancels: "PRE_ADMISSION" }],
    ["A27", "VisitCancelled", { cancels: "PRE_ADMISSION" }],
    ["A12", "TransferCancelled", {}],
    ["A13", "EndCancelled", {}],
    ["A31", "VisitUpdated", { referenceOnly: true }],
    ["A28", "VisitUpdated", { referenceOnly: true }],
    ["A25", "VisitUpdated", { referenceOnly: true }],
    ["A10", "VisitUpdated", { referenceOnly: false, class: "I" }],
    ["A16", "VisitUpdated", { referenceOnly: false, class: "I" }],
  ])("ADT^%s: %s", (trigger, type, fields) => {
    const events = eventsOf({ type: `ADT^${trigger}` }).filter((event) => event.subject === visit("NORTH", "V1"));
    expect(events).toEqual([
      expect.objectContaining({
        type,
        sealed: { visitNumber: "V1" },
        sealFor: patient("NORTH", "MR", "N1"),
        fields: expect.objectContaining({
          patientId: patient("NORTH", "MR", "N1"),
          facility: "NORTH",
          authority: "NORTH",
          ...fields,
        }),
      }),
    ]);
    if (trigger === "A10") expect(events[0]?.fields).not.toHaveProperty("location");
  });

  it("is told by EVN-1 where MSH-9 has no trigger, as in v2.1", () => {
    const sketch = { type: "ADT", version: "2.1", evn: null };
    const told = (event: string) => eventsOf({ ...sketch, more: [`EVN|${event}|20240102`] }).map(({ type }) => type);
    expect(told("A03")).toEqual(["PatientUpdated", "VisitEnded"]);
    expect(told("A04")).toEqual(["PatientRegistered", "VisitStarted"]);
    const merge = { ...sketch, more: ["EVN|A34|20240102", "MRG|N2^^^NORTH^MR"] };
    expect(eventsOf(merge).map(({ type }) => type)).toContain("PatientsMerged");
    expect(unitOf(merge).flags).toContain("NO_TRIGGER");
    expect(eventsOf({ ...sketch, type: "ADT^A08", more: ["EVN|A03|20240102"] }).map(({ type }) => type)).toEqual([
      ...["PatientUpdated", "VisitUpdated"],
    ]);
  });

  it("is only mentioned by messages of other types", () => {
    for (const type of ["ORU^R01", "DFT^P03", "MDM^T02"]) {
      expect(only({ type }, "VisitUpdated").fields).toMatchObject({ referenceOnly: true });
    }
  });

  it("is sealed for itself where no patient is named", () => {
    const unit = unitOf({ type: "ORU^R01", pid: null });
    expect(unit.events).toEqual([expect.objectContaining({ type: "VisitUpdated", sealFor: visit("NORTH", "V1") })]);
    expect(unit.sealFor).toEqual([visit("NORTH", "V1")]);
  });

  it("has its stated start and end, in the sender's zone", () => {
    const pv1 = ["I", "", "V1", "202401020304", "20240105"] as const;
    const profile = { timezone: "America/New_York" };
    expect(only({ pv1 }, "VisitStarted", profile).fields.startedAt).toBe(Date.UTC(2024, 0, 2, 8, 4));
    expect(only({ type: "ADT^A03", pv1 }, "VisitEnded", profile).fields.endedAt).toBe(Date.UTC(2024, 0, 5, 5));
  });

  it("is that of its own patient, never the one that stands with another", () => {
    const [others, visits] = ["PID|2||N9^^^NORTH^MR", "PV1|1|I|ICU||||||||||||||||V9^^^NORTH^VN"];
    const patientOf = (sketch: Sketch, number: string) =>
      eventsOf(sketch).flatMap(({ subject, fields }) =>
        subject === visit("NORTH", number) && "patientId" in fields ? [fields.patientId] : [],
      );
    for (const type of ["ORU^R01", "ADT^A40", "ADT^A24"]) {
      const more = [...(type === "ADT^A40" ? ["MRG|N2^^^NORTH^MR"] : []), others, "MRG|N8^^^NORTH^MR", visits];
      expect(patientOf({ type, pv1: null, more }, "V9")).toEqual([]);
      expect(patientOf({ type, more }, "V1")).toEqual([patient("NORTH", "MR", "N1")]);
    }
    // The same patient told twice is no other.
    expect(patientOf({ pv1: null, more: ["PID|1||N1^^^NORTH^MR", visits] }, "V9")).toEqual([
      patient("NORTH", "MR", "N1"),
    ]);
  });

  it("is none without PV1-19, and the facility's where no authority is named", () => {
    expect(eventsOf({ pv1: ["I", "ICU", ""] }).map(({ type }) => type)).toEqual(["PatientRegistered"]);
    expect(only({ pv1: ["I", "ICU", "V9"] }, "VisitStarted").subject).toBe(visit("@NORTH", "V9"));
  });
});

describe("the patient of a message", () => {
  it("is what PID says, in the clear only what identifies nobody", () => {
    const event = only(
      {
        pid: "1||N1^^^NORTH^MR||O\\T\\Hara^Jane^Q^^^^L||198002|F|||1 Main St^^Boston^MA^02101^US||555-0100~^NET^Internet^j@x.org|555-0199|||||||||||||||20200101|Y",
      },
      "PatientRegistered",
    );
    expect(event.fields).toMatchObject({ sex: "F", birthYear: 1980, deceased: true, cleared: [] });
    expect(event.sealed).toEqual({
      identifierValues: ["N1"],
      familyName: "O&Hara",
      givenNames: ["Jane", "Q"],
      birthDate: "1980-02",
      address: "1 Main St, Boston, MA, 02101, US",
      telecom: ["555-0100", "j@x.org", "555-0199"],
      extensions: [],
    });
    expect(JSON.stringify(event.fields)).not.toMatch(/N1|Hara|Jane|Boston|555|02-/);
  });

  it.each(["A01", "A04", "A05", "A28"])("is registered by %s", (trigger) => {
    expect(eventsOf({ type: `ADT^${trigger}` })[0]?.type).toBe("PatientRegistered");
  });

  it.each(["ADT^A08", "ADT^A03", "ORU^R01", "BAR^P01", "DFT^P03"])("is updated by %s", (type) => {
    expect(eventsOf({ type })[0]?.type).toBe("PatientUpdated");
  });

  it("keeps what is empty and clears what is null", () => {
    const pid = '1||N1^^^NORTH^MR||""||""|""|||""||""';
    const event = only({ type: "ADT^A08", pid }, "PatientUpdated");
    expect(event.fields.cleared).toEqual([
      ...["sex", "birthYear", "birthDate", "address", "familyName", "givenNames", "telecom"],
    ]);
    expect(event.fields).toMatchObject({ sex: null, birthYear: null, deceased: null });
    const kept = only({ type: "ADT^A08", pid: "1||N1^^^NORTH^MR" }, "PatientUpdated");
    expect(kept.fields.cleared).toEqual([]);
    expect(kept.sealed).toMatchObject({ familyName: null, givenNames: [], telecom: [], address: null });
  });

  it.each([
    ['||||||||""^""^""^""^""||""^PRN^PH^""', ["address", "telecom"]],
    ['||||||||^^""||^PRN^PH^^1^""^""', ["telecom"]],
    ['||||||||1 Main St^""^Boston||^NET^Internet^j@x.org~""', []],
    ['||||||||||^PRN^PH^""', []],
  ])("clears a field whose parts are null one by one: %s", (fields, cleared) => {
    const event = only({ type: "ADT^A08", pid: `1||N1^^^NORTH^MR${fields}` }, "PatientUpdated");
    expect(event.fields.cleared).toEqual(cleared);
  });

  it("is the facility's own identifier, by the profile's order, whatever the order in PID-3", () => {
    const pid = "1||E1^^^MPI^PI~N1^^^NORTH^MR~X^^^USA^NI";
    const identifiers = (profile = {}) => {
      const { fields, subject } = only({ pid }, "PatientRegistered", profile);
      expect(fields.identifiers?.[0]?.identifierId).toBe(subject);
      return fields.identifiers?.map(({ authority, strong }) => [authority, strong]);
    };
    expect(identifiers()).toEqual([
      ["NORTH", false],
      ["MPI", true],
      ["USA", true],
    ]);
    expect(identifiers({ identifiers: { order: [{ authority: "MPI" }] } })).toEqual([
      ["MPI", false],
      ["NORTH", false],
      ["USA", true],
    ]);
    expect(identifiers({ identifiers: { strong: [{ authority: "MPI" }] } })).toEqual([
      ["NORTH", false],
      ["MPI", true],
      ["USA", false],
    ]);
    expect(identifiers({ identifiers: { order: [{ type: "ZZ" }] } })?.[0]).toEqual(["MPI", false]);
  });

  it("has an authority from the universal id, else from the facility, flagged", () => {
    const event = only({ pid: '1||A^^^&1.2.3&ISO^MR~B^^^""^PI~C' }, "PatientRegistered");
    expect(event.fields.identifiers?.map(({ authority }) => authority)).toEqual(["1.2.3", "@NORTH", "@NORTH"]);
    expect(event.fields.flags).toContain("AUTHORITY_FROM_FACILITY");
  });

  it("may be read from PID-2 where the profile says so", () => {
    const pid = "1|N7^^^NORTH^MR";
    expect(unitOf({ pid }).verdict).toEqual({ accepted: false, code: "101", location: "PID-3" });
    expect(eventsOf({ pid }, { identifiers: { readPid2: true } })[0]?.subject).toBe(patient("NORTH", "MR", "N7"));
  });

  it("is that of the first PID", () => {
    const more = ["PID|2||N2^^^NORTH^MR"];
    expect(eventsOf({ type: "ADT^A31", pv1: null, more }).map(({ subject }) => subject)).toEqual([
      patient("NORTH", "MR", "N1"),
    ]);
  });
});

describe("what makes no event", () => {
  it("is kept, and flagged so that it is counted", () => {
    expect(unitOf({ type: "ORU^R01", more: ["OBX|1|TX|||x"] }).flags).toEqual(["CONTENT_KEPT"]);
    expect(unitOf({ type: "DFT^P03", more: ["FT1|1|||20240101||CG|99213"] }).flags).toEqual([
      "CONTENT_KEPT",
      "CHARGES_KEPT",
    ]);
    expect(unitOf({ type: "ADT^A49", more: ["MRG|N1^^^NORTH^MR||A1"] }).flags).toEqual(["CONTENT_KEPT"]);
    expect(unitOf({}).flags).toEqual([]);
  });

  it("is a bed status, which names no patient", () => {
    const sketch = { type: "ADT^A20", pid: null, pv1: null, more: ["NPU|ICU^1|C"] };
    expect(unitOf(sketch)).toMatchObject({ verdict: { accepted: true }, events: [] });
  });
});

describe("charges", () => {
  const charge = (amount: string, kind = "CG", code = "99213") =>
    `FT1|1|||20240102|20240103|${kind}|${code}|||2|${amount}||||||||||||||${code}^^C4|25~59`;
  const more = [
    "DG1|1||E11.9^Diabetes^I10",
    "DG1|2||I10^^I10",
    charge("70.10"),
    charge("20", "CD"),
    charge("5", "PY"),
    "IN1|1|P1|PLAN1",
  ];
  const sketch: Sketch = { type: "DFT^P03", pid: "1||N1^^^NORTH^MR||Doe^Jane|||||||||||||ACC7^^^NORTH", more };
  const charges = { claim: "PID-18", provider: "1234567893" };

  it("are a claim where the profile says what it goes by and who bills: the one that an 837 tells", () => {
    const claim = only(sketch, "ClaimSubmitted", { charges });
    expect(claim).toMatchObject({
      subject: testSurrogate("claim", "1234567893", "", "ACC7"),
      sealFor: patient("NORTH", "MR", "N1"),
      sealed: { patientControlNumber: "ACC7" },
      fields: {
        patientId: patient("NORTH", "MR", "N1"),
        visitId: visit("NORTH", "V1"),
        payerId: "PLAN1",
        kind: "PROFESSIONAL",
        frequencyCode: "1",
        billedAmount: 5_010,
        diagnoses: [
          { qualifier: "ABK", code: "E119" },
          { qualifier: "ABF", code: "I10" },
        ],
        lines: [
          { lineNumber: 1, procedureCode: "99213", modifiers: ["25", "59"], chargeAmount: 7_010, units: "2" },
          { lineNumber: 2, chargeAmount: -2_000, serviceDate: "2024-01-02" },
        ],
      },
    });
    expect(unitOf(sketch, { charges }).flags).toEqual([]);
    expect(eventsOf({ ...sketch, type: "BAR^P05" }, { charges }).map(({ type }) => type)).toContain("ClaimSubmitted");
    const signed = [charge("70.10"), charge("-20", "CD"), charge("-1")];
    expect(only({ ...sketch, more: signed }, "ClaimSubmitted", { charges }).fields.billedAmount).toBe(4_910);
    const unit = charge("").replace("|2|", "|3|").replace("||||||||||||||99213", "|7.05|||||||||||||99213");
    expect(only({ ...sketch, more: [unit] }, "ClaimSubmitted", { charges }).fields.billedAmount).toBe(2_115);
  });

  it("are refused where one is no amount, and kept where nothing says whose claim they are", () => {
    expect(unitOf({ ...sketch, more: [charge("1"), charge("1O.5")] }, { charges }).verdict).toEqual({
      accepted: false,
      code: "102",
      location: "FT1[2]-11",
    });
    const unnamed = unitOf({ ...sketch, pid: "1||N1^^^NORTH^MR" }, { charges });
    expect(unnamed.flags).toEqual(["CLAIM_UNIDENTIFIED", "CONTENT_KEPT", "CHARGES_KEPT"]);
    for (const [other, profile] of [
      [sketch, {}],
      [{ ...sketch, type: "ORU^R01" }, { charges }],
      [{ ...sketch, more: [charge("5", "PY")] }, { charges }],
      [{ ...sketch, more: [charge("5", "constructor")] }, { charges }],
    ] as const) {
      expect(eventsOf(other, profile).map(({ type }) => type)).not.toContain("ClaimSubmitted");
      expect(unitOf(other, profile).flags).toContain("CHARGES_KEPT");
    }
  });

  it("have the currency that they name, flagged where it is not the usual one, and refused where there are two", () => {
    const told = (profile: object, ...more: string[]) => {
      const unit = unitOf({ ...sketch, more }, { charges: { ...charges, ...profile } });
      const claim = unit.events.find(({ type }) => type === "ClaimSubmitted");
      const fields = claim?.type === "ClaimSubmitted" ? claim.fields : undefined;
      return [fields?.currency, fields?.flags, unit.flags];
    };
    const flagged = ["OTHER_CURRENCY"];
    expect(told({}, charge("70.10&CAD"), charge("2"))).toEqual(["CAD", flagged, flagged]);
    expect(told({ currency: "CAD" }, charge("2"), charge("70.10&cad"))).toEqual(["CAD", [], []]);
    expect(told({}, charge("2"))).toEqual([null, [], []]);
    expect(told({}, charge("2&Jane"))).toEqual(["XXX", flagged, flagged]);
    const mixed = unitOf({ ...sketch, more: [charge("1&CAD"), charge("1"), charge("1&USD")] }, { charges });
    expect(mixed.verdict).toEqual({ accepted: false, code: "102", location: "FT1[3]-11" });
  });
});

describe("the sender's own segments", () => {
  const more = ["ZPD|1|VIP|A\\T\\B", 'ZIN|7|""'];

  it("are facts under the names of the profile, sealed with the patient's", () => {
    const zSegments = { ZPD: { "2": "status", "3": "team" }, ZIN: { "1": "insurer", "2": "none" }, ZZZ: { "1": "x" } };
    expect(only({ more }, "PatientRegistered", { zSegments }).sealed?.extensions).toEqual([
      { name: "status", value: "VIP" },
      { name: "team", value: "A&B" },
      { name: "insurer", value: "7" },
    ]);
  });

  it("are only kept where the profile says nothing of them", () => {
    const unit = unitOf({ more });
    expect(unit.flags).toEqual(["Z_SEGMENT"]);
    expect(unit.events[0]).toMatchObject({ sealed: { extensions: [] } });
  });
});

describe("the time of an event", () => {
  it("is EVN-2, else MSH-7, else the receipt", () => {
    const at = (sketch: Sketch) =>
      eventsOf(sketch).map(({ time, timePrecision }) => [new Date(time).toISOString(), timePrecision]);
    expect(at({ evn: "202401020304" })[0]).toEqual(["2024-01-02T03:04:00.000Z", "MINUTE"]);
    expect(at({ evn: "", time: "20240102030405+0100" })[0]).toEqual(["2024-01-02T02:04:05.000Z", "SECOND"]);
    expect(at({ evn: null, time: "20240102" })[1]).toEqual(["2024-01-02T00:00:00.000Z", "DAY"]);
    expect(at({ evn: null, time: "" })[0]).toEqual(["2030-01-01T00:00:00.000Z", "MILLISECOND"]);
    expect(unitOf({ evn: null, time: "" }).flags).toContain("NO_MESSAGE_TIME");
  });

  it("without an offset has that of MSH-7, else the sender's zone", () => {
    const profile = { timezone: "Europe/Berlin" };
    const pv1 = ["I", "", "V1", "202401020304"] as const;
    const at = (time: string, evn: string) => {
      const event = only({ time, evn, pv1 }, "VisitStarted", profile);
      return [event.time, event.fields.startedAt].map((one) => new Date(one as number).toISOString().slice(0, 16));
    };
    expect(at("20240102031000-0500", "202401020305")).toEqual(["2024-01-02T08:05", "2024-01-02T08:04"]);
    expect(at("20240102031000-0500", "202401020305+0000")).toEqual(["2024-01-02T03:05", "2024-01-02T08:04"]);
    expect(at("20240102031000", "202401020305")).toEqual(["2024-01-02T02:05", "2024-01-02T02:04"]);
  });
});

describe("a message that says nothing of patients or visits", () => {
  it("is accepted, and makes no events", () => {
    const unit = unitOf({ type: "MFN^M02", pid: null, pv1: null, evn: null, more: ["MFI|STF||UPD|||AL"] });
    expect(unit).toMatchObject({ verdict: { accepted: true }, events: [], sealFor: [], format: "MFN^M02" });
  });
});
