import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConnectorDefinition, ReceivedUnit } from "../../engine/intake/connector.js";
import { type ConnectorBench, startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";
import { avroData, avroEnvelope } from "./testing/avro.js";
import { type Structured, samples, schemaNow, writers } from "./testing/events.js";

let bench: ConnectorBench;
beforeAll(async () => {
  bench = await startConnectorBench(connector as unknown as ConnectorDefinition<unknown>);
});
afterAll(() => bench.close());

const url = () => bench.receiver.addresses.find(({ partner }) => partner === "generic")!.url;

interface Exchange {
  readonly status: number;
  readonly told: unknown;
  readonly units: readonly ReceivedUnit[];
}

async function post(headers: Record<string, string>, body: string | Buffer): Promise<Exchange> {
  const before = bench.intake.units.length;
  const response = await fetch(url(), {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : new Uint8Array(body),
  });
  const answer = await response.text();
  return { status: response.status, told: JSON.parse(answer), units: bench.intake.units.slice(before) };
}

/** Attributes as headers, but for the type of the data, which is the content type. */
function headersOf({ data: _data, datacontenttype: _type, ...attributes }: Structured): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, String(value)]));
}

/** What says that its data is in Avro, and in which. */
const inAvro = (event: Structured): Structured => {
  return { ...event, datacontenttype: "application/avro", dataschema: schemaNow(event.type) };
};

const json = "application/cloudevents+json";
const inEveryWay: Readonly<Record<string, (event: Structured) => Promise<Exchange>>> = {
  "structured, as JSON": (event) => post({ "content-type": json }, JSON.stringify(event)),
  "structured, as JSON with the data in Avro": ({ data, ...event }) =>
    post(
      { "content-type": `${json}; charset=utf-8` },
      JSON.stringify({
        ...event,
        datacontenttype: "application/avro",
        dataschema: schemaNow(event.type),
        data_base64: avroData({ ...event, data }).toString("base64"),
      }),
    ),
  "structured, in the Avro format": (event) =>
    post({ "content-type": "application/cloudevents+avro" }, avroEnvelope(inAvro(event), avroData(event))),
  "structured, in the Avro format with the data as JSON": (event) =>
    post(
      { "content-type": "application/cloudevents+avro" },
      avroEnvelope(event, Buffer.from(JSON.stringify(event.data))),
    ),
  "binary, as JSON": (event) =>
    post({ ...headersOf(event), "content-type": "application/json" }, JSON.stringify(event.data)),
  "binary, in Avro": (event) =>
    post({ ...headersOf(inAvro(event)), "content-type": "application/avro" }, avroData(event)),
};

describe("an event", () => {
  it.each([...samples.keys()])("%s is the same in every way that it may come", async (id) => {
    const event = samples.get(id)!;
    const known: unknown[] = [];
    for (const [way, send] of Object.entries(inEveryWay)) {
      const { status, told, units } = await send(event);
      expect([way, status, told]).toEqual([way, 200, { id, source: event.source, accepted: true }]);
      expect(units.map(({ entry }) => entry)).toEqual(["UNIT"]);
      known.push({ events: units[0]?.events, identity: units[0]?.identity, controlId: units[0]?.controlId });
    }
    for (const one of known) expect(one).toEqual(known[0]);
  });

  it("in binary mode is kept with the headers that make it", async () => {
    const event = samples.get("p-1")!;
    const { units } = await post(
      { ...headersOf(event), "content-type": "application/json", "ce-note": "%C3%A9t%C3%A9" },
      JSON.stringify(event.data),
    );
    const kept = Buffer.from(units[0]!.bytes).toString("latin1");
    expect(kept).toContain("ce-id: p-1\r\n");
    expect(kept).toContain("ce-note: %C3%A9t%C3%A9\r\n");
    expect(kept.endsWith(`\r\n\r\n${JSON.stringify(event.data)}`)).toBe(true);
  });

  it("of another media type is turned away, and journalled nowhere", async () => {
    const { status, told, units } = await post({ "content-type": "text/plain" }, "hello");
    expect([status, (told as { code: string }).code, units]).toEqual([415, "TRIB_RECEPTION_MEDIA_TYPE", []]);
  });
});

describe("a batch", () => {
  const batch = { "content-type": "application/cloudevents-batch+json" };

  it("has a verdict an event, in order, and is kept to the byte", async () => {
    const [first, second, third] = [...samples.values()];
    const body = ` [ ${JSON.stringify(first)}\n, ${JSON.stringify({ ...second, time: "soon" })} ,${JSON.stringify(third)}]\n`;
    const { status, told, units } = await post(batch, body);
    expect(status).toBe(422);
    expect(told).toMatchObject([
      { id: first!.id, accepted: true },
      { id: second!.id, accepted: false, code: "CE_FIELD_INVALID", location: "time" },
      { id: third!.id, accepted: true },
    ]);
    expect(units.map(({ entry }) => entry)).toEqual(["UNIT", "UNIT", "UNIT", "ENVELOPE", "CLOSING"]);
    const rest = Buffer.from(units[3]!.bytes).toString();
    expect(rest).toBe(" [ \n,  ,]\n");
    for (const { bytes, transport } of units.slice(0, 3)) {
      const at = transport!.byteOffset;
      expect(Buffer.from(bytes).toString()).toBe(body.slice(at, at + bytes.length));
    }
    expect(units[4]?.closing).toMatchObject({ entries: 4, units: 3, bytes: body.length });
  });

  it.each([
    ["no list", JSON.stringify(samples.get("p-1"))],
    ["cut off", '[{"id":"1"}'],
    ["a key twice", '[{"id":"1","id":"2"}]'],
  ])("that is %s is rejected whole, and kept as evidence", async (_, body) => {
    const { status, told, units } = await post(batch, body);
    expect([status, told]).toMatchObject([422, [{ accepted: false, code: "CE_UNREADABLE", location: "body" }]]);
    expect(Buffer.from(units[0]!.bytes).toString()).toBe(body);
  });

  it("of nothing is complete, and no unit", async () => {
    const { status, told, units } = await post(batch, "[]");
    expect([status, told, units.map(({ entry }) => entry)]).toEqual([200, [], ["ENVELOPE", "CLOSING"]]);
  });
});

describe("whoever may send", () => {
  it("is shown the schemas of all types, without proof", async () => {
    const shown = (await (await fetch(`${url()}/schemas`)).json()) as { type: string }[];
    expect(shown.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["health.patient.PatientUpdated", "health.claim.ClaimAdjudicated"]),
    );
    expect(JSON.stringify(shown)).not.toMatch(/"(identifierId|patientId|contentHash|sealed)"/);
  });

  it("finds a schema at the address that names it, also of data written before it changed", async () => {
    const [listed] = (await (await fetch(`${url()}/schemas`)).json()) as { dataschema: string; schema: object }[];
    expect(await (await fetch(listed!.dataschema)).json()).toEqual(listed!.schema);
    const [, [older, schema] = []] = [...writers.get("health.visit.VisitStarted")!];
    const before = await fetch(`${url()}/schemas/health.visit.VisitStarted/${older}`);
    expect([await before.json(), schema?.name]).toEqual([schema, "VisitStarted"]);
    expect((await fetch(`${url()}/schemas/health.visit.VisitStarted/${"0".repeat(64)}`)).status).toBe(404);
  });

  it("is let in by no profile that names a schema which nobody knows here", () => {
    const schemas = { "https://registry.lake.example/ids/1": "0".repeat(64) };
    expect(connector.mistakeIn?.(connector.profile.parse({ schemas }))).toMatch(/^schemas: value 1 is no schema/);
    const [[, known = new Map()] = []] = writers;
    const named = { "https://registry.lake.example/ids/1": [...known.keys()][0] };
    expect(connector.mistakeIn?.(connector.profile.parse({ schemas: named }))).toBeUndefined();
  });

  it("is told where to look when it doesn't say which schema its Avro was written with", async () => {
    const event = samples.get("p-1")!;
    const headers = { ...headersOf(event), "content-type": "application/avro" };
    const { status, told, units } = await post(headers, avroData(event));
    expect([status, told]).toMatchObject([422, { code: "CE_SCHEMA_MISSING", location: "dataschema" }]);
    expect((told as { remedy: string }).remedy).toContain(`${url()}/schemas`);
    expect(units.map(({ verdict }) => verdict.accepted)).toEqual([false]);
  });
});

describe("a damaged request", () => {
  const body = Buffer.from(JSON.stringify([...samples.values()]));
  const envelope = avroEnvelope(samples.get("p-1")!, Buffer.from(JSON.stringify(samples.get("p-1")!.data)));
  const bodies = [
    ["application/cloudevents-batch+json", body],
    ["application/cloudevents+json", Buffer.from(JSON.stringify(samples.get("c-1")))],
    ["application/cloudevents+avro", envelope],
  ] as const;
  const change = fc.record({
    at: fc.nat({ max: 5_000 }),
    out: fc.nat({ max: 30 }),
    put: fc.uint8Array({ maxLength: 8 }),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 4 });

  it("is answered, makes only whole facts, and the next is taken as if nothing had been", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bodies), changes, async ([type, whole], many) => {
        let bytes: Buffer = whole;
        for (const { at, out, put } of many) {
          const from = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + out)]);
        }
        const { status, units } = await post({ "content-type": type }, bytes);
        expect([200, 422]).toContain(status);
        for (const { entry, verdict, events } of units) {
          if (entry === "UNIT") expect(events.length > 0).toBe(verdict.accepted);
        }
        expect((await inEveryWay["binary, as JSON"]!(samples.get("p-1")!)).status).toBe(200);
      }),
      { numRuns: 120 },
    );
  });
});
