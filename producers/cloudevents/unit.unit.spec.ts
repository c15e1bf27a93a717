import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { AvroRecord } from "../../engine/log/avro.js";
import { testSurrogate as surrogate } from "../../engine/testing/recording-intake.js";
import { type Profile, profileSchema } from "./profile.js";
import { avroData } from "./testing/avro.js";
import { forms, lake, samples, schemaNow, take, withData, writers } from "./testing/events.js";

const factsOf = (id: string) => take(samples.get(id)!).unit.events[0];

describe("an event", () => {
  it("of every kind in the samples is accepted by a partner that speaks for it", () => {
    for (const [id, event] of samples) expect([id, take(event).unit.verdict]).toEqual([id, { accepted: true }]);
  });

  it("gets the ids that other formats give the same patient, visit, claim, payment and remittance", () => {
    const patient = surrogate("patient", "LAKE", "MR", "L-4711");
    const claim = surrogate("claim", "1234567893", "", "LC-1");
    const remittanceId = surrogate("remittance", "LAKEPLAN", "", "TR-5");
    expect(factsOf("p-1")).toMatchObject({ subject: patient, sealFor: patient });
    expect(factsOf("v-1")).toMatchObject({
      subject: surrogate("visit", "LAKE", "", "V-900"),
      fields: { patientId: patient },
    });
    expect(factsOf("c-1")).toMatchObject({
      subject: claim,
      fields: { visitId: surrogate("visit", "LAKE", "", "V-900") },
    });
    expect(factsOf("r-1")).toMatchObject({
      subject: claim,
      fields: { remittanceId, patientId: surrogate("patient", "LAKEPLAN", "MI", "M-77") },
    });
    expect(factsOf("r-2")).toMatchObject({ subject: remittanceId });
  });

  it("of a payment is told at its own time, so that what was put right on the day of payment counts", () => {
    for (const id of ["r-1", "r-2"])
      expect(factsOf(id)).toMatchObject({
        time: Date.UTC(2026, 2, 1, 9, 30),
        fields: { paidAt: Date.UTC(2026, 2, 20) },
      });
  });

  it("has amounts to the cent, sums made here, and what identifies people only where it is sealed", () => {
    const payment = factsOf("r-1");
    expect(payment?.fields).toMatchObject({ chargeAmount: 12_050, paidAmount: 10_050, balanced: true });
    expect(payment?.sealed).toMatchObject({ patientControlNumber: "LC-1", payerControlNumber: "ICN9" });
    expect(factsOf("r-2")?.fields).toMatchObject({ difference: 0, balanced: true, providerAdjustmentAmount: 0 });
    const patient = factsOf("p-1");
    expect(JSON.stringify(patient?.fields)).not.toMatch(/Okafor|L-4711|990017/);
    expect(patient?.sealed).toMatchObject({ identifierValues: ["L-4711", "990017"], familyName: "Okafor" });
  });

  it("may give a visit further identifiers, and tell that one has left", () => {
    const identifiers = [{ authority: "EAST", type: "XX", value: "T-1" }];
    const clear = { identifierId: surrogate("visit", "EAST", "XX", "T-1"), authority: "EAST", type: "XX" };
    const wanted = {
      subject: surrogate("visit", "LAKE", "", "V-900"),
      fields: { identifiers: [clear] },
      sealed: { visitNumber: "V-900", identifierValues: ["T-1"] },
    };
    expect(take(withData("v-1", { identifiers })).unit.events).toMatchObject([wanted]);
    const left = withData("v-1", { identifiers });
    const { authority, details } = left.data as { authority: string; details: object };
    const event = { ...left, type: "health.visit.VisitIdentifiersLeft", data: { authority, details, identifiers } };
    expect(take(event).unit.events).toMatchObject([{ ...wanted, type: "VisitIdentifiersLeft" }]);
  });

  it("of a merge tells both patients", () => {
    const { unit } = take(samples.get("m-1")!);
    const [surviving, retired] = [
      surrogate("patient", "LAKE", "MR", "L-4711"),
      surrogate("patient", "LAKE", "MR", "L-0815"),
    ];
    expect(unit.events.map(({ subject }) => subject)).toEqual([surviving, retired]);
    expect(unit.sealFor).toEqual([surviving, retired]);
    expect(unit.events.map(({ sealed }) => sealed)).toEqual([{ values: ["L-4711"] }, { values: ["L-0815"] }]);
  });

  it("links records of one person only by the types that the profile names, whatever is sent", () => {
    expect(factsOf("p-1")?.fields).toMatchObject({ identifiers: [{ strong: false }, { strong: true }] });
    const strong = { identifiers: [{ authority: "LAKE", type: "MR", value: "L-4711", strong: true }] };
    expect(take(withData("p-1", strong)).unit.verdict).toEqual({
      accepted: false,
      code: "CE_FIELD_UNKNOWN",
      location: "data.identifiers[0] member 4",
    });
  });
});

describe("a partner tells nothing", () => {
  const other = { authority: "RIVER", type: "MR", value: "L-4711" };
  const patient = { authority: "RIVER", type: "MR", value: "1" };

  it.each([
    ["about another's patient", withData("p-1", { identifiers: [other] }), "data.identifiers[0].authority"],
    [
      "about a merge into another's patient",
      withData("m-1", { merges: [{ retired: { ...other, authority: "LAKE" }, surviving: other }] }),
      "data.merges[0].surviving.authority",
    ],
    ["about another's visit", withData("v-1", { authority: "RIVER" }), "data.authority"],
    ["about a visit of another's patient", withData("v-1", { patient }), "data.patient.authority"],
    ["about another provider's claim", withData("c-1", { provider: "1098765437" }), "data.provider"],
    [
      "about a claim for another's visit",
      withData("c-1", { visit: { authority: "RIVER", number: "1" } }),
      "data.visit.authority",
    ],
    ["about another payer's payment", withData("r-1", { payerId: "OTHER" }), "data.payerId"],
    ["about another payer's remittance", withData("r-2", { payerId: "OTHER" }), "data.payerId"],
    ["in another's name", { ...samples.get("p-1"), source: "https://river.example" }, "source"],
  ])("%s", (_, event, location) => {
    const { verdict, events } = take(event).unit;
    expect([verdict, events]).toEqual([{ accepted: false, code: "CE_NOT_AUTHORIZED", location }, []]);
  });

  it("at all by a profile that lists nothing", () => {
    for (const event of samples.values())
      expect(take(event, profileSchema.parse({})).unit.verdict.accepted).toBe(false);
  });

  it("about an id: there is no field for one", () => {
    const names = JSON.stringify([...forms.values()].map(({ schema }) => schema)).match(/"name":"\w+"/g);
    expect(names?.filter((name) => /Id"$|Hash"$/.test(name)).sort()).toEqual(
      expect.arrayContaining(['"name":"memberId"', '"name":"payerId"']),
    );
    expect(new Set(names?.filter((name) => /Id"$|Hash"$/.test(name)))).toEqual(
      new Set(['"name":"memberId"', '"name":"payerId"']),
    );
  });
});

describe("a verdict names code and place", () => {
  const [first] = samples.values();
  it.each([
    ["no time", { ...first, time: undefined }, "CE_ATTRIBUTE_MISSING", "time"],
    ["another version", { ...first, specversion: "0.3" }, "CE_ATTRIBUTE_INVALID", "specversion"],
    ["an unknown type", { ...first, type: "health.patient.PatientErased" }, "CE_TYPE_UNKNOWN", "type"],
    ["no data", { ...first, data: undefined, data_base64: undefined }, "CE_DATA_MISSING", "data"],
    ["a local time", { ...first, time: "2026-03-01T09:30:00" }, "CE_FIELD_INVALID", "time"],
    ["a year before the first", { ...first, time: "0000-01-01T00:00:00Z" }, "CE_FIELD_INVALID", "time"],
    ["data twice", { ...first, data_base64: "e30=" }, "CE_UNREADABLE", "data_base64"],
    ["an impossible day", { ...first, time: "2026-02-30T09:30:00Z" }, "CE_FIELD_INVALID", "time"],
    ["a missing field", withData("c-1", { billedAmount: undefined }), "CE_FIELD_MISSING", "data.billedAmount"],
    ["a number as amount", withData("c-1", { billedAmount: 12.5 }), "CE_FIELD_INVALID", "data.billedAmount"],
    ["part of a cent", withData("c-1", { billedAmount: "12.505" }), "CE_FIELD_INVALID", "data.billedAmount"],
    ["an unknown symbol", withData("v-1", { admission: "BEAMED" }), "CE_FIELD_INVALID", "data.admission"],
    ["no visit number", withData("v-1", { details: {} }), "CE_FIELD_MISSING", "data.details.visitNumber"],
    ["a name where words are few", withData("p-1", { cleared: ["Okafor"] }), "CE_FIELD_INVALID", "data.cleared[0]"],
    [
      "a merge into itself",
      withData("m-1", {
        merges: [
          {
            retired: { authority: "LAKE", type: "MR", value: "1" },
            surviving: { authority: "LAKE", type: "MR", value: "1" },
          },
        ],
      }),
      "CE_MERGE_INTO_ITSELF",
      "data.merges[0]",
    ],
    [
      "an identifier longer than the read models take",
      withData("p-1", { identifiers: [{ authority: "LAKE", type: "MR", value: "9".repeat(1_100) }] }),
      "CE_FIELD_INVALID",
      "data.identifiers[0].value",
    ],
    ["NUL in text", withData("p-1", { sex: "F\0" }), "CE_FIELD_INVALID", "data.sex"],
  ])("for %s", (_, event, code, location) => {
    expect(take(JSON.parse(JSON.stringify(event))).unit.verdict).toEqual({ accepted: false, code, location });
  });
});

describe("data in Avro", () => {
  const event = samples.get("v-1")!;
  const type = event.type as string;
  const written = (schema: AvroRecord) => avroData(event, { type, schema }).toString("base64");
  const inAvro = (dataschema: string | undefined, data_base64: string) => {
    return { ...event, data: undefined, data_base64, datacontenttype: "application/avro", dataschema };
  };
  const taken = (said: string | undefined, data: string, profile?: Profile) => {
    const { data: _, ...asSent } = JSON.parse(JSON.stringify(inAvro(said, data)));
    return take(asSent, profile).unit;
  };
  const asJson = take(event).unit;
  const older = [...writers.get(type)!].slice(1);

  it("written with any version of its schema is the same fact", () => {
    expect(older.length).toBeGreaterThan(0);
    for (const [fingerprint, schema] of older) {
      const { verdict, events, identity } = taken(
        `https://other.example/x/schemas/${type}/${fingerprint}`,
        written(schema),
      );
      expect({ verdict, events, identity }).toEqual({
        verdict: { accepted: true },
        events: asJson.events,
        identity: asJson.identity,
      });
    }
  });

  const now = written(forms.get(type)!.schema);
  const elsewhere = "https://registry.lake.example/apis/ccompat/v7/schemas/ids/42";
  it.each([
    ["without a word of its schema", undefined, "CE_SCHEMA_MISSING"],
    ["of an empty name of a schema", "", "CE_SCHEMA_UNKNOWN"],
    ["of a schema in a registry that the profile says nothing of", elsewhere, "CE_SCHEMA_UNKNOWN"],
    ["of another type's schema", schemaNow("health.visit.VisitEnded"), "CE_SCHEMA_UNKNOWN"],
    ["of a version that is not known here", schemaNow(type).replace(/.{4}$/, "0000"), "CE_SCHEMA_UNKNOWN"],
  ])("%s is not guessed at", (_, dataschema, code) => {
    expect(taken(dataschema, now).verdict).toEqual({ accepted: false, code, location: "dataschema" });
  });

  it("is read as the profile says of the partner's own names of schemas, and of data that comes without", () => {
    const [fingerprint, schema] = older.at(-1)!;
    const own = { ...lake, schemas: { [elsewhere]: fingerprint, [type]: fingerprint } };
    for (const said of [elsewhere, undefined]) {
      const { verdict, events } = taken(said, written(schema), own);
      expect([verdict, events]).toEqual([{ accepted: true }, asJson.events]);
    }
    expect(taken(schemaNow(type), now, own).events).toEqual(asJson.events);
  });

  it("of a schema that was shown once stays readable", () => {
    const shown = JSON.parse(readFileSync(new URL("testing/schemas-shown.json", import.meta.url), "utf8"));
    const known = Object.fromEntries([...writers].map(([name, each]) => [name, [...each.keys()].sort()]));
    for (const [name, fingerprints] of Object.entries(shown))
      expect([name, known[name]]).toEqual([name, expect.arrayContaining(fingerprints as string[])]);
    // One that is new here belongs into the file: it is shown from now on.
    expect(shown).toEqual(known);
  });
});

describe("data in JSON", () => {
  it("needs no name of a schema; one that is said must be of its type", () => {
    const event = samples.get("v-1")!;
    expect(take({ ...event, dataschema: schemaNow(event.type) }).unit.events).toEqual(take(event).unit.events);
    const other = { ...event, dataschema: "https://lake.example/visit.json" };
    expect(take(other).unit.verdict).toEqual({ accepted: false, code: "CE_SCHEMA_UNKNOWN", location: "dataschema" });
  });
});

describe("what an event is known by", () => {
  const parts = (event: object) => JSON.stringify(take(event as never, lake).unit.identity);

  it("is source and id, with its content: the order of members and extensions make no difference", () => {
    const event = samples.get("p-1")!;
    const turned = Object.fromEntries([...Object.entries(event)].reverse());
    expect(parts({ ...turned, comexampleextra: "x" })).toBe(parts(event));
    expect(parts({ ...event, id: "p-9" })).not.toBe(parts(event));
    expect(parts(withData("p-1", { sex: "M" }))).not.toBe(parts(event));
    // A field that its type got later, unsaid or said as what stands for that, makes it no other event.
    expect(parts(event)).not.toContain("identifiersComplete");
    expect(parts(withData("p-1", { identifiersComplete: false }))).toBe(parts(event));
    expect(parts(withData("p-1", { identifiersComplete: true }))).not.toBe(parts(event));
    expect(take(event).unit.controlId).toEqual({
      scope: ["cloudevents", "https://lake.example/registry"],
      value: "p-1",
    });
  });
});
