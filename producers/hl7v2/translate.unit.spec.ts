import { describe, expect, it } from "vitest";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { type Profile, profileSchema } from "./profile.js";
import { messageOf, type Sketch } from "./testing/messages.js";
import { readMessage } from "./unit.js";

const RECEIVED = Date.UTC(2030, 0, 1);

function unitOf(sketch: Sketch, profile: Parameters<typeof profileSchema.parse>[0] = {}): ReceivedUnit {
  const profiles = new Map<string, Profile>([["generic", profileSchema.parse(profile)]]);
  const bytes = Buffer.from(messageOf(sketch));
  return readMessage(bytes, { profiles, surrogate: testSurrogate, receivedAt: RECEIVED }).unit;
}

const eventsOf = (sketch: Sketch, profile = {}) => unitOf(sketch, profile).events;
function only<Type extends EventDraft["type"]>(sketch: Sketch, type: Type, profile = {}) {
  const found = eventsOf(sketch, profile).filter((event) => event.type === type);
  expect(found.length).toBe(1);
  return found[0] as Extract<EventDraft, { type: Type }>;
}

const patient = (authority: string, type: string, value: string) => testSurrogate("patient", authority, type, value);
const visit = (authority: string, value: string) => testSurrogate("visit", authority, "", value);

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
    for (const trigger of ["A43", "A45", "A35"]) {
      const events = eventsOf({ type: `ADT^${trigger}`, pv1: null, more: ["MRG|N2^^^NORTH^MR"] });
      expect(events.map(({ type }) => type)).toEqual(["PatientUpdated"]);
    }
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

describe("a visit that changes its patient or number", () => {
  const [before, now] = [patient("NORTH", "MR", "N2"), patient("NORTH", "MR", "N1")];
  const changed = (trigger: string, mrg: string): Sketch => ({
    type: `ADT^${trigger}`,
    pv1: null,
    more: [`MRG|${mrg}`, "PV1|1|I|ICU||||||||||||||||V1^^^NORTH^VN"],
  });
  const told = (sketch: Sketch) =>
    eventsOf(sketch).filter(({ type }) => type === "VisitMoved" || type === "VisitsMerged");

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

  it("is deleted by A23", () => {
    expect(only({ type: "ADT^A23" }, "VisitCancelled").fields.cancels).toBe("VISIT");
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
});

describe("a message that says nothing of patients or visits", () => {
  it("is accepted, and makes no events", () => {
    const unit = unitOf({ type: "MFN^M02", pid: null, pv1: null, evn: null, more: ["MFI|STF||UPD|||AL"] });
    expect(unit).toMatchObject({ verdict: { accepted: true }, events: [], sealFor: [], format: "MFN^M02" });
  });
});
