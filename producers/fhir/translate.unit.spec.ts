import { describe, expect, it } from "vitest";
import type { EventDraft } from "../../engine/intake/connector.js";
import { testDesk, unitsOf } from "./testing/desk.js";

async function eventsOf(resource: object, profile: object = {}): Promise<readonly EventDraft[]> {
  const [unit] = await unitsOf(Buffer.from(JSON.stringify(resource)), false, testDesk(profile));
  expect(unit?.verdict).toEqual({ accepted: true });
  return unit!.events;
}

const encounter = (more: object) => ({
  resourceType: "Encounter",
  id: "v1",
  class: { code: "IMP" },
  subject: { reference: "Patient/p1" },
  ...more,
});

const decision = (more: object = {}) => ({
  resourceType: "ExplanationOfBenefit",
  id: "e1",
  status: "active",
  type: { coding: [{ code: "professional" }] },
  use: "claim",
  patient: { reference: "Patient/p1" },
  created: "2026-03-01",
  insurer: { display: "Bayside" },
  provider: { display: "Lake" },
  outcome: "complete",
  claim: { reference: "Claim/c1" },
  insurance: [{ focal: true, coverage: { display: "x" } }],
  total: [{ category: { coding: [{ code: "submitted" }] }, amount: { value: 120.1 } }],
  payment: { date: "2026-03-05", amount: { value: 100 } },
  ...more,
});

describe("an Encounter", () => {
  it.each([
    ["planned", ["VisitPreAdmitted"]],
    ["in-progress", ["VisitStarted"]],
    ["finished", ["VisitStarted", "VisitEnded"]],
    ["cancelled", ["VisitPreAdmitted", "VisitCancelled"]],
    ["unknown", ["VisitUpdated"]],
  ])("that is %s says %s", async (status, types) => {
    const events = await eventsOf(encounter({ status }));
    expect(events.map(({ type }) => type)).toEqual(types);
  });

  it("that goes on after its end undoes the end, when its history shows one or the profile says so", async () => {
    const history = [{ status: "finished", period: { start: "2026-01-01" } }];
    const types = async (more: object, profile = {}) =>
      (await eventsOf(encounter({ status: "in-progress", ...more }), profile)).map(({ type }) => type);
    expect(await types({ statusHistory: history })).toEqual(["EndCancelled", "VisitStarted"]);
    expect(await types({}, { reopened: "always" })).toEqual(["EndCancelled", "VisitStarted"]);
    expect(await types({})).toEqual(["VisitStarted"]);
  });

  it("is in the order of its server's clock, and keeps the times it states", async () => {
    const period = { start: "2026-02-27T21:05:00-06:00", end: "2026-03-01T11:40:00-06:00" };
    const meta = { lastUpdated: "2026-03-02T00:00:00.500Z" };
    const [start, end] = await eventsOf(encounter({ status: "finished", period, meta }));
    expect(start).toMatchObject({
      time: Date.UTC(2026, 2, 2, 0, 0, 0, 500),
      fields: { startedAt: Date.UTC(2026, 1, 28, 3, 5) },
    });
    expect(end).toMatchObject({ fields: { endedAt: Date.UTC(2026, 2, 1, 17, 40) } });
  });
});

describe("what else identifies an Encounter", () => {
  const type = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "VN" }] };
  const identifier = [
    { system: "urn:visits", value: "V-900", type },
    { system: "urn:visits", value: "V-900", type },
    { value: "T-1" },
    { system: "urn:none" },
  ];
  const told = async (more: object, profile: object = {}) =>
    (await eventsOf(encounter({ status: "finished", identifier, ...more }), profile)).map(({ fields, sealed }) => [
      (fields as { identifiers?: readonly { authority: string; type: string }[] }).identifiers?.map(
        ({ authority, type }) => `${authority} ${type}`,
      ),
      (sealed as { identifierValues?: readonly string[] }).identifierValues,
    ]);

  it("is told with each of its events, the values sealed, and what names it is not among them", async () => {
    const systems = { systems: { "urn:visits": "LAKE" } };
    const both = [
      ["LAKE VN", "@generic "],
      ["V-900", "T-1"],
    ];
    expect(await told({}, systems)).toEqual([both, both]);
    const one = [["@generic "], ["T-1"]];
    expect(await told({}, { ...systems, naming: { Encounter: "urn:visits" } })).toEqual([one, one]);
    expect(await told({ identifier: undefined })).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });
});

describe("a patient", () => {
  const patient = { resourceType: "Patient", id: "p1", gender: "female", identifier: [{ system: "s", value: "A1" }] };

  it("is the same however it is referred to", async () => {
    const [own] = await eventsOf(patient);
    for (const reference of [
      "Patient/p1",
      "https://fhir.example/r4/Patient/p1",
      "Patient/p1/_history/3",
      "urn:uuid:p1",
    ]) {
      const [visit] = await eventsOf(encounter({ status: "finished", subject: { reference } }));
      expect(visit).toMatchObject({ fields: { patientId: own!.subject } });
    }
  });

  it("is refused for an identifier longer than the read models take, at its place", async () => {
    const long = { ...patient, identifier: [...patient.identifier, { system: "s", value: "9".repeat(1_100) }] };
    const [unit] = await unitsOf(Buffer.from(JSON.stringify(long)), false, testDesk({}));
    expect(unit?.verdict).toEqual({
      accepted: false,
      code: "FHIR_TOO_LONG",
      location: "Patient.identifier[1].value",
    });
  });

  it("goes by its business identifier where the profile says so, in references too", async () => {
    const profile = { naming: { Patient: "s" }, systems: { s: "LAKE" } };
    const [own] = await eventsOf(patient, profile);
    expect(own).toMatchObject({ fields: { identifiers: [{ authority: "LAKE" }] } });
    for (const subject of [{ identifier: { system: "s", value: "A1" } }, { reference: "Patient?identifier=s|A1" }]) {
      const [visit] = await eventsOf(encounter({ status: "finished", subject }), profile);
      expect(visit).toMatchObject({ fields: { patientId: own!.subject } });
    }
  });

  it("goes by it also where only the record says of what type it is, as the profile says too", async () => {
    const profile = { naming: { Patient: "s", PatientType: "MR" }, systems: { s: "LAKE" } };
    const type = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "MR" }] };
    const typed = { system: "s", value: "A1", type };
    const [own] = await eventsOf({ ...patient, identifier: [typed] }, profile);
    expect(own).toMatchObject({ fields: { identifiers: [{ authority: "LAKE", type: "MR" }] } });
    expect((await eventsOf(patient, profile))[0]?.subject).toBe(own?.subject);
    for (const subject of [
      { identifier: typed },
      { identifier: { system: "s", value: "A1" } },
      { reference: "Patient?identifier=s|A1" },
    ]) {
      const [visit] = await eventsOf(encounter({ status: "finished", subject }), profile);
      expect(visit).toMatchObject({ fields: { patientId: own!.subject } });
    }
  });

  it("is linked by no number that it no longer has", async () => {
    const number = { system: "s", value: "A2", type: { coding: [{ code: "SS" }] } };
    const strong = async (use?: string) => {
      const [own] = await eventsOf({ ...patient, identifier: [{ ...number, ...(use && { use }) }] });
      return own?.type === "PatientUpdated" && own.fields.identifiers?.[1]?.strong;
    };
    expect([await strong(), await strong("official"), await strong("old")]).toEqual([true, true, false]);
  });

  it("is cleared of what its record leaves out, unless the profile keeps it", async () => {
    const [cleared] = await eventsOf(patient);
    expect(cleared).toMatchObject({
      fields: { cleared: ["birthYear", "deceased", "familyName", "givenNames", "birthDate", "address", "telecom"] },
    });
    const [kept] = await eventsOf(patient, { absent: "keep" });
    expect(kept).toMatchObject({ fields: { cleared: [] } });
  });

  it("that was replaced is merged, on both keys", async () => {
    const link = [{ type: "replaced-by", other: { reference: "Patient/p2" } }];
    const events = await eventsOf({ ...patient, link });
    const [, retired, surviving] = events as readonly (EventDraft & { fields: { role?: string } })[];
    expect([retired?.fields.role, surviving?.fields.role]).toEqual(["RETIRED", "SURVIVING"]);
    expect(retired?.subject).toBe(events[0]?.subject);
    expect(surviving?.subject).not.toBe(retired?.subject);
  });

  it("that replaces others is what they are merged into, whichever of them says so", async () => {
    const link = (type: string, ...others: string[]) =>
      others.map((other) => ({ type, other: { reference: `Patient/${other}` } }));
    const merges = (events: readonly EventDraft[]) =>
      events.flatMap((event) =>
        event.type === "PatientsMerged"
          ? [[event.subject, event.fields.role, event.fields.retiredPatientId, event.fields.survivingPatientId]]
          : [],
      );
    const told = await eventsOf({ ...patient, id: "p2", link: link("replaces", "p1", "p0") });
    const retired = await eventsOf({ ...patient, link: link("replaced-by", "p2") });
    expect(merges(told).slice(0, 2)).toEqual(merges(retired));
    expect(merges(told).map(([, role]) => role)).toEqual(["RETIRED", "SURVIVING", "RETIRED", "SURVIVING"]);
    expect(new Set(merges(told).map(([, , , surviving]) => surviving))).toEqual(new Set([told[0]?.subject]));
  });

  it("gets the number of its coverage, not that of the subscriber it depends on", async () => {
    const coverage = {
      resourceType: "Coverage",
      id: "k1",
      status: "active",
      beneficiary: { reference: "Patient/p1" },
      payor: [{ display: "Bayside" }],
      subscriberId: "M-77120",
    };
    const [own] = await eventsOf(coverage, { payers: { Bayside: "BAYPLAN" } });
    expect(own).toMatchObject({
      fields: { identifiers: [{}, { authority: "BAYPLAN", type: "MI" }] },
      sealed: { identifierValues: ["p1", "M-77120"] },
    });
    expect(await eventsOf({ ...coverage, subscriber: { reference: "Patient/p9" } })).toEqual([]);
    const related = (code: string) => ({ ...coverage, relationship: { coding: [{ code }] } });
    expect((await eventsOf(related("self"))).length).toBe(1);
    expect(await eventsOf(related("child"))).toEqual([]);
  });
});

describe("claims and decisions", () => {
  const claim = {
    resourceType: "Claim",
    id: "c1",
    status: "active",
    type: { coding: [{ code: "pharmacy" }] },
    use: "claim",
    patient: { reference: "Patient/p1" },
    created: "2026-02-28",
    provider: { reference: "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893" },
    priority: { coding: [{ code: "normal" }] },
    insurance: [{ sequence: 1, focal: true, coverage: { display: "x" } }],
    total: { value: 120.1 },
  };

  it("meet without a look-up, to the cent", async () => {
    const [submitted] = await eventsOf(claim);
    const [decided] = await eventsOf(decision());
    expect(submitted).toMatchObject({
      type: "ClaimSubmitted",
      fields: { billedAmount: 12_010, kind: "PHARMACY", providerNpi: "1234567893", frequencyCode: "1" },
    });
    expect(decided).toMatchObject({
      type: "ClaimAdjudicated",
      subject: submitted!.subject,
      fields: { paidAmount: 10_000, chargeAmount: 12_010, balanced: false, paidAt: Date.UTC(2026, 2, 5) },
    });
  });

  it("that one ClaimResponse and one ExplanationOfBenefit tell are one payment", async () => {
    const { claim: request, provider: _, insurance: __, ...rest } = decision();
    const payment = { ...rest.payment, type: { coding: [{ code: "complete" }] } };
    const [response] = await eventsOf({ ...rest, payment, resourceType: "ClaimResponse", id: "r1", request });
    const [same] = await eventsOf(decision({ claimResponse: { reference: "ClaimResponse/r1" } }));
    const [other] = await eventsOf(decision({ id: "e2", claimResponse: { reference: "ClaimResponse/r2" } }));
    const place = (event?: EventDraft) =>
      event?.type === "ClaimAdjudicated" && [event.subject, event.fields.remittanceId, event.fields.occurrence];
    expect(place(same)).toEqual(place(response));
    expect(place(other)).not.toEqual(place(response));
  });

  it("are told at the time that their server changed them, else on the day of payment", async () => {
    const meta = { lastUpdated: "2026-03-09T10:00:00Z" };
    const [dated] = await eventsOf(decision({ meta }));
    expect(dated).toMatchObject({ time: Date.UTC(2026, 2, 9, 10), fields: { paidAt: Date.UTC(2026, 2, 5) } });
    expect((await eventsOf(decision()))[0]).toMatchObject({ time: Date.UTC(2026, 2, 5), timePrecision: "DAY" });
  });

  it("that name a prior claim without the payer's number replace none, flagged", async () => {
    const related = (more: object) => [{ relationship: { coding: [{ code: "prior" }] }, ...more }];
    const taken = async (more: object) =>
      (await unitsOf(Buffer.from(JSON.stringify({ ...claim, related: related(more) })), false))[0];
    const unnumbered = await taken({ claim: { reference: "Claim/c0" } });
    expect([unnumbered?.events[0]?.type, unnumbered?.flags]).toEqual([
      "ClaimSubmitted",
      expect.arrayContaining(["PRIOR_CLAIM_NOT_FOLLOWED"]),
    ]);
    const numbered = await taken({ reference: { value: "ICN1" } });
    expect([numbered?.events[0]?.type, numbered?.flags]).toEqual([
      "ClaimReplaced",
      expect.not.arrayContaining(["PRIOR_CLAIM_NOT_FOLLOWED"]),
    ]);
  });

  it("of other uses, drafts and what is queued make no event", async () => {
    expect(await eventsOf({ ...claim, use: "preauthorization" })).toEqual([]);
    expect(await eventsOf({ ...claim, status: "draft" })).toEqual([]);
    expect(await eventsOf(decision({ outcome: "queued" }))).toEqual([]);
  });

  it("that are cancelled are voided, and paid back to nothing", async () => {
    expect(await eventsOf({ ...claim, status: "cancelled" })).toMatchObject([{ type: "ClaimVoided" }]);
    const [paid, back] = await eventsOf(decision({ status: "cancelled" }));
    expect(paid).toMatchObject({ fields: { paidAmount: 10_000, occurrence: 1 } });
    expect(back).toMatchObject({ type: "ClaimPaymentReversed", fields: { paidAmount: -10_000, occurrence: 2 } });
  });

  it("keep the money of a decision whose claim is not named, flagged", async () => {
    const { claim: _, ...unnamed } = decision();
    const [unit] = await unitsOf(Buffer.from(JSON.stringify(unnamed)), false);
    expect(unit?.flags).toContain("CLAIM_UNIDENTIFIED");
    expect(unit?.events).toMatchObject([{ fields: { paidAmount: 10_000 } }]);
  });

  it("are exact up to what an amount may be, and refused beyond it", async () => {
    const [event] = await eventsOf({ ...claim, total: { value: 999_999_999_999.99 } });
    expect(event).toMatchObject({ fields: { billedAmount: 99_999_999_999_999 } });
    const [unit] = await unitsOf(Buffer.from(JSON.stringify({ ...claim, total: { value: 1_000_000_000_000 } })), false);
    expect(unit?.verdict).toEqual({ accepted: false, code: "FHIR_VALUE", location: "Claim.total.value" });
  });
});

describe("a transaction of resources that are stored nowhere yet", () => {
  const entry = (resource: { resourceType: string }, uuid: string) => ({
    fullUrl: `urn:uuid:${uuid}`,
    resource,
    request: { method: "POST", url: resource.resourceType },
  });
  const bundleOf = (patient: object, insurer: object) => {
    const claim = {
      ...{ resourceType: "Claim", status: "active", use: "claim", created: "2026-03-01" },
      type: { coding: [{ code: "professional" }] },
      patient: { reference: "urn:uuid:p" },
      provider: { reference: "urn:uuid:d" },
      insurer: { reference: "urn:uuid:i" },
      priority: { coding: [{ code: "normal" }] },
      insurance: [{ sequence: 1, focal: true, coverage: { display: "x" } }],
      item: [
        {
          ...{ sequence: 1, encounter: [{ reference: "urn:uuid:v" }] },
          productOrService: { coding: [{ code: "99213" }] },
        },
      ],
      identifier: [{ system: "claims", value: "C1" }],
      total: { value: 10 },
    };
    const { id: _, ...visit } = encounter({ status: "finished", subject: { reference: "urn:uuid:p" } });
    const doctor = { resourceType: "Practitioner", identifier: [{ system: npi, value: "1234567893" }] };
    const entries = [
      entry({ resourceType: "Patient", ...patient }, "p"),
      entry(visit, "v"),
      entry(claim, "c"),
      entry(doctor, "d"),
      entry({ resourceType: "Organization", ...insurer }, "i"),
    ];
    return Buffer.from(JSON.stringify({ resourceType: "Bundle", type: "transaction", entry: entries }));
  };
  const npi = "http://hl7.org/fhir/sid/us-npi";

  it.each([
    ["by its identifiers", { identifier: [{ system: "s", value: "A1" }] }],
    ["by its address, for want of a better name", { gender: "female" }],
  ])("is held together: who is referred to goes %s", async (_, patient) => {
    const units = await unitsOf(bundleOf(patient, { identifier: [{ system: "p", value: "PLAN1" }] }), false);
    const [person, visit, claim] = units.map(({ events }) => events[0]);
    expect(units.map(({ verdict }) => verdict.accepted)).toEqual([true, true, true, true, true]);
    expect(person?.type).toBe("PatientRegistered");
    expect(visit).toMatchObject({ type: "VisitStarted", fields: { patientId: person!.subject } });
    expect(claim).toMatchObject({
      type: "ClaimSubmitted",
      fields: {
        patientId: person!.subject,
        visitId: visit!.subject,
        providerNpi: "1234567893",
        payerId: "PLAN1",
      },
    });
  });
});

it("a bundle that nobody asks to open is kept as it is, flagged", async () => {
  const bundle = {
    resourceType: "Bundle",
    type: "collection",
    entry: [{ resource: encounter({ status: "planned" }) }],
  };
  const [unit] = await unitsOf(Buffer.from(JSON.stringify(bundle)), true);
  expect(unit).toMatchObject({ verdict: { accepted: true }, events: [], flags: ["BUNDLE_NOT_OPENED"] });
});
