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

  it("a reconciliation that does not add up is kept, and says by how much", async () => {
    const detail = [
      { type: { coding: [{ code: "payment" }] }, amount: { value: 500 } },
      { type: { coding: [{ code: "adjustment" }] }, amount: { value: -20 } },
    ];
    const [event] = await eventsOf({
      resourceType: "PaymentReconciliation",
      id: "r1",
      status: "active",
      created: "2026-03-05",
      paymentDate: "2026-03-05",
      paymentAmount: { value: 479.5 },
      detail,
    });
    expect(event).toMatchObject({
      fields: { claimsAmount: 50_000, providerAdjustmentAmount: 2_000, balanced: false, difference: -50 },
    });
  });
});
