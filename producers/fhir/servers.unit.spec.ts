import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { testDesk, unitsOf } from "./testing/desk.js";

const here = "https://fhir.lake.example/r4";
const there = "https://river.example/fhir";
const patientOn = (server: string, id = "1") => testSurrogate("patient", server, "RI", id);
const encounter = (subject: object | string, more: object = {}) => ({
  resourceType: "Encounter",
  id: "v1",
  status: "finished",
  class: { code: "IMP" },
  subject: typeof subject === "string" ? { reference: subject } : subject,
  ...more,
});
const patient = { resourceType: "Patient", id: "1", gender: "female" };

async function told(sent: object, profile: object = {}) {
  const units = await unitsOf(Buffer.from(JSON.stringify(sent)), false, testDesk(profile));
  for (const { verdict } of units) expect(verdict).toEqual({ accepted: true });
  return units.map(({ events: [event], flags, identity }) => {
    const { patientId } = (event?.fields ?? {}) as { readonly patientId?: string };
    return { event, subject: event?.subject, patientId, flags, identity };
  });
}

const bundle = (type: string, ...entry: object[]) => ({ resourceType: "Bundle", type, entry });
const beside = (base: string, resource: { resourceType: string; id: string }, more: object = {}) => {
  return { fullUrl: `${base}/${resource.resourceType}/${resource.id}`, resource, ...more };
};

describe("an absolute reference, where the profile says which server is the sender's own,", () => {
  const profile = { server: "LAKE", bases: [here] };

  it.each([
    ["as the profile has it", here],
    ["with the other scheme", here.replace("https", "http")],
    ["with a port that goes without saying", here.replace(".example", ".example:443")],
    ["that we answered", "https://us.example/partners/generic"],
  ])("names under its base %s what a relative one does", async (_, base) => {
    const [visit] = await told(encounter(`${base}/Patient/1`), profile);
    expect(visit).toMatchObject({ patientId: patientOn("LAKE"), flags: [] });
    expect((await told(encounter("Patient/1"), profile))[0]).toMatchObject({ patientId: visit!.patientId, flags: [] });
  });

  it("names under any other base another patient, and not that of a partner who has this base", async () => {
    const [visit] = await told(encounter(`${there}/Patient/1`), profile);
    expect(visit).toMatchObject({ patientId: patientOn(`${there}@LAKE`), flags: ["OTHER_SERVER"] });
    for (const base of [`${here}/x`, `${here}x`, here.replace("lake", "Lake.lake"), here.replace("r4", "R4")])
      expect((await told(encounter(`${base}/Patient/1`), profile))[0]?.patientId).not.toBe(patientOn("LAKE"));
  });

  it("may be under a base of any length: what names the patient is one that read models take", async () => {
    const long = (end: string) => `${there}/${"x".repeat(3_000)}${end}`;
    const [one, other] = [
      bundle("collection", beside(long("a"), patient)),
      bundle("collection", beside(long("b"), patient)),
    ];
    const authorityOf = async (sent: object) => {
      const [{ event } = { event: undefined }] = await told(sent, profile);
      return event?.type === "PatientUpdated" || event?.type === "PatientRegistered"
        ? event.fields.identifiers?.[0]
        : undefined;
    };
    const [first, second] = [await authorityOf(one), await authorityOf(other)];
    expect(first?.authority.length).toBeLessThan(300);
    expect(second?.identifierId).not.toBe(first?.identifierId);
  });

  it("names the patient of another partner only where the profile says whose server it is", async () => {
    const servers = { [`${there}/`]: "RIVER" };
    const [visit] = await told(encounter(`${there}/Patient/1`), { ...profile, servers });
    expect(visit).toMatchObject({ patientId: patientOn("RIVER"), flags: [] });
  });
});

describe("a bundle with resources of two servers", () => {
  const sent = bundle(
    "collection",
    beside(here, patient),
    beside(there, patient),
    beside(here, encounter("Patient/1")),
    beside(there, encounter("Patient/1")),
    beside(there, encounter(`${here}/Patient/1`, { id: "v2" })),
  );

  it("has two patients of one id, two visits, and each visit is of the patient on its server", async () => {
    const [own, other, visit, otherVisit, mixed] = await told(sent, { server: "LAKE", bases: [here] });
    expect([own?.subject, other?.subject]).toEqual([patientOn("LAKE"), patientOn(`${there}@LAKE`)]);
    expect([visit?.patientId, otherVisit?.patientId]).toEqual([own?.subject, other?.subject]);
    expect(otherVisit?.subject).not.toBe(visit?.subject);
    expect(mixed).toMatchObject({ patientId: own?.subject, flags: ["OTHER_SERVER"] });
    // Equal bytes of two servers are two facts, and no resends of each other.
    expect(other?.identity).not.toEqual(own?.identity);
    expect([own, other, visit, otherVisit].map((one) => one?.flags)).toEqual([
      [],
      ["OTHER_SERVER"],
      [],
      ["OTHER_SERVER"],
    ]);
  });

  it("is taken for one of the sender's where nobody says which are its own, flagged", async () => {
    const units = await told(sent);
    expect(units.map(({ flags }) => flags)).toEqual(units.map(() => ["SERVER_ASSUMED"]));
    expect(units[1]?.subject).toBe(units[0]?.subject);
  });

  it("is no such thing where all is of one server, by whatever scheme", async () => {
    const one = bundle(
      "collection",
      beside(here, patient),
      beside(here.replace("https", "http"), encounter(`${here}/Patient/1`)),
    );
    expect((await told(one)).map(({ flags, patientId }) => [flags, patientId])).toEqual([
      [[], undefined],
      [[], patientOn("generic")],
    ]);
    const alone = await told(encounter(`${here}/Patient/1`));
    expect(alone[0]).toMatchObject({ patientId: patientOn("generic"), flags: ["SERVER_ASSUMED"] });
  });

  it("has what is put to its place on the sender's own, whatever the others call it", async () => {
    const request = { method: "PUT", url: "Patient/1" };
    const visit = { method: "PUT", url: "Encounter/v1" };
    const [own, of] = await told(
      bundle("transaction", beside(there, patient, { request }), {
        resource: encounter(`${there}/Patient/1`),
        request: visit,
      }),
      { server: "LAKE", bases: [here] },
    );
    expect([own?.subject, of?.patientId]).toEqual([patientOn("LAKE"), patientOn("LAKE")]);
  });

  it("takes back a visit of the server that deleted it, and no other", async () => {
    const gone = (base: string) => ({
      fullUrl: `${base}/Encounter/v1`,
      request: { method: "DELETE", url: "Encounter/v1" },
      response: { status: "204", lastModified: "2026-03-02T00:00:00Z" },
    });
    const profile = { server: "LAKE", bases: [here] };
    const [own, other] = await told(bundle("history", gone(here), gone(there)), profile);
    expect(own?.subject).toBe(testSurrogate("visit", "LAKE", "", "v1"));
    expect(other?.subject).toBe(testSurrogate("visit", `${there}@LAKE`, "", "v1"));
  });
});

describe("a reference by a number", () => {
  const typed = { system: "s", value: "A1", type: { coding: [{ code: "MR" }] } };
  const logical = encounter({ identifier: { system: "s", value: "A1" } });
  const conditional = encounter("Patient?identifier=s|A1");

  it("is flagged where records don't go by it, and stands under what they have as one of theirs", async () => {
    const [record] = await told({ ...patient, identifier: [typed] }, { types: { s: "MR" } });
    const { identifiers } = (record?.event?.fields ?? {}) as {
      readonly identifiers?: { readonly identifierId: string }[];
    };
    for (const sent of [logical, conditional]) {
      const [visit] = await told(sent, { types: { s: "MR" } });
      expect(visit?.flags).toEqual(["REFERENCE_BY_IDENTIFIER"]);
      expect(visit?.patientId).not.toBe(record?.subject);
      expect(visit?.patientId).toBe(identifiers?.[1]?.identifierId);
    }
  });

  it("is not where they do; there an id is, unless it is one of an entry beside it", async () => {
    const profile = { naming: { Patient: "s", PatientType: "MR" } };
    for (const sent of [logical, conditional]) expect((await told(sent, profile))[0]?.flags).toEqual([]);
    expect((await told(encounter("Patient/1"), profile))[0]?.flags).toEqual(["REFERENCE_BY_ID"]);
    const together = bundle(
      "collection",
      beside(here, { ...patient, identifier: [typed] } as typeof patient),
      beside(here, encounter("Patient/1")),
    );
    const [record, visit] = await told(together, profile);
    expect([visit?.patientId, visit?.flags]).toEqual([record?.subject, []]);
  });
});

it("reads an address with a sender's hundred thousand slashes at once", async () => {
  const started = performance.now();
  await told(encounter(`https://h.example/${"/".repeat(150_000)}x/Patient/1`));
  expect(performance.now() - started).toBeLessThan(1_500);
});

describe("a Patient", () => {
  const complete = async (more: object, profile: object = {}) => {
    const [{ event } = { event: undefined }] = await told({ ...patient, ...more }, profile);
    if (event?.type !== "PatientUpdated") throw new Error("no patient");
    return [event.fields.identifiersComplete, event.fields.cleared?.length !== 0];
  };

  it("says that it has all identifiers, where it is the whole record", async () => {
    expect(await complete({})).toEqual([true, true]);
    expect(await complete({}, { absent: "keep" })).toEqual([false, false]);
    const tag = [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" }];
    expect(await complete({ meta: { tag } })).toEqual([false, false]);
    // Another resource may go by the same number, and is the same record.
    const identifier = [{ system: "s", value: "A1", type: { coding: [{ code: "MR" }] } }];
    expect(await complete({ identifier })).toEqual([true, true]);
    expect(await complete({ identifier }, { naming: { Patient: "s", PatientType: "MR" } })).toEqual([false, true]);
  });
});
