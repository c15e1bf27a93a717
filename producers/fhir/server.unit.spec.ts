import { gzipSync } from "node:zlib";
import Fastify from "fastify";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TributaryError } from "../../engine/service/errors.js";
import { type ConnectorBench, startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";

let bench: ConnectorBench;
beforeEach(async () => {
  bench = await startConnectorBench(connector);
});
afterEach(() => bench.close());

const base = () =>
  bench.receiver.addresses.find(({ partner, protocol }) => partner === "generic" && protocol === "http")!.url;

async function call(method: string, path: string, body: unknown, type = "application/fhir+json", more: object = {}) {
  const sent = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const headers = { "content-type": type, ...(sent instanceof Uint8Array && { "content-encoding": "gzip" }), ...more };
  const response = await fetch(`${base()}${path}`, { method, headers, body: sent as string });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

const patient = (id: string, more: object = {}) => ({ resourceType: "Patient", id, gender: "female", ...more });
const put = (resource: { resourceType: string; id: string }) => ({
  resource,
  request: { method: "PUT", url: `${resource.resourceType}/${resource.id}` },
});
const bundle = (type: string, entry: object[]) => ({ resourceType: "Bundle", type, entry });
const units = () => bench.intake.units.filter(({ entry }) => entry === "UNIT");

describe("resources over HTTP", () => {
  it("are answered by the place they are sent to, and the same gets the same answer", async () => {
    const created = await call("POST", "/Patient", patient("p1"));
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe(`${base()}/Patient/p1`);
    expect((await call("POST", "/Patient", patient("p1"))).text).toBe(created.text);
    expect((await call("PUT", "/Patient/p1", patient("p1"))).status).toBe(200);
    const other = await call("PUT", "/Patient/p2", patient("p1"));
    expect([other.status, other.body.issue[0].expression]).toEqual([400, ["Patient.id"]]);
    expect((await call("PUT", "/Encounter/p1", patient("p1"))).status).toBe(400);
    const inVersion = (version: string) => `application/fhir+json; fhirVersion=${version}`;
    expect((await call("POST", "/Patient", patient("p1"), inVersion("4.0"))).status).toBe(201);
    const later = await call("POST", "/Patient", patient("p1"), inVersion("5.0"));
    expect([later.status, later.body.issue[0].details.text]).toEqual([
      415,
      expect.stringMatching(/^This media type is not taken: application\/fhir\+json/),
    ]);
  });

  it("by other methods are refused with those that the address takes", async () => {
    const told = async (method: string, path: string) => {
      const { status, headers, body } = await call(method, path, patient("p1"));
      return [status, headers.get("allow"), body.issue[0].code];
    };
    for (const method of ["PATCH", "DELETE"])
      expect(await told(method, "/Patient/p1")).toEqual([405, "PUT", "not-supported"]);
    expect(await told("PUT", "/Patient")).toEqual([405, "POST", "not-supported"]);
    expect(await told("DELETE", "/metadata")).toEqual([405, "GET", "not-supported"]);
    expect(await told("PATCH", "/Patient/p1/x/y")).toEqual([404, null, "not-found"]);
    const entry = { request: { method: "DELETE", url: "Patient/p1" } };
    const { body } = await call("POST", "", bundle("batch", [entry]));
    expect([body.entry[0].response.status, units().length]).toEqual(["405", 1]);
  });

  it("on the condition of a version are refused, since none can be compared here, but for a sender that agreed", async () => {
    const conditional = { "if-match": 'W/"3"' };
    const refused = await call("PUT", "/Patient/p1", patient("p1"), undefined, conditional);
    expect([refused.status, refused.body.issue[0].code]).toEqual([412, "conflict"]);
    const entry = { ...put(patient("p1")), request: { method: "PUT", url: "Patient/p1", ifMatch: 'W/"3"' } };
    const batch = await call("POST", "", bundle("batch", [entry, put(patient("p2"))]));
    expect(batch.body.entry.map((one: { response: { status: string } }) => one.response.status)).toEqual([
      "412",
      "200 OK",
    ]);
    expect(units().map(({ verdict, events }) => [verdict.accepted, events.length])).toEqual([
      [false, 0],
      [false, 0],
      [true, 1],
    ]);
    await bench.close();
    bench = await startConnectorBench(connector, undefined, { generic: { ifMatch: "ignore" } });
    expect((await call("PUT", "/Patient/p1", patient("p1"), undefined, conditional)).status).toBe(200);
    const created = await call("POST", "/Patient", patient("p9"), undefined, { "if-none-exist": "identifier=x|1" });
    expect(created.status).toBe(201);
    expect(units().map(({ flags }) => flags)).toEqual([["IF_MATCH_IGNORED"], ["IF_NONE_EXIST_IGNORED"]]);
  });

  it("of a transaction go to one place each: in it nobody could say which is the last", async () => {
    const entries = [put(patient("p1")), put(patient("p1", { gender: "male" }))];
    const refused = await call("POST", "", bundle("transaction", entries));
    expect([refused.status, refused.body.issue[0].expression]).toEqual([422, ["Bundle.entry[1].request.url"]]);
    expect(units().map(({ events }) => events)).toEqual([[], []]);
    expect((await call("POST", "", bundle("batch", entries))).status).toBe(200);
  });

  it("are bounded in number: a bundle of more entries is refused before any is read", async () => {
    const entries = Array.from({ length: 100_001 }, () => ({}));
    const refused = await call("POST", "", bundle("batch", entries));
    expect([refused.status, refused.body.issue]).toEqual([
      413,
      [expect.objectContaining({ code: "too-costly", expression: ["Bundle.entry"] })],
    ]);
    expect(units().map(({ events }) => events)).toEqual([[]]);
  });

  it("that only tell that something changed are taken where the partner's server is asked for it", async () => {
    expect((await call("POST", "", "")).status).toBe(400);
    await bench.close();
    let asked = 0;
    const theirs = Fastify();
    theirs.get("/Patient", () => {
      asked += 1;
      return bundle("searchset", []);
    });
    const pull = { base: await theirs.listen({ port: 0, host: "127.0.0.1" }), types: ["Patient"], everySeconds: 3_600 };
    bench = await startConnectorBench(connector, undefined, { generic: { pull } });
    await vi.waitFor(() => expect(asked).toBe(1));
    expect((await call("POST", "", "")).status).toBe(200);
    await vi.waitFor(() => expect(asked).toBe(2));
    // With ids only, as the backport of R5's subscriptions may have it: what it is about is read where it is.
    const notified = bundle("history", [
      { request: { method: "PUT", url: "Patient/p1" }, response: { status: "200" } },
    ]);
    const { status, body } = await call("POST", "", notified);
    expect([status, body.entry[0].response.outcome.issue[0].details.text]).toEqual([
      200,
      "It holds no resource: nothing of it was kept.",
    ]);
    await vi.waitFor(() => expect(asked).toBe(3));
    await theirs.close();
  });

  it("of a notification with content are taken as what they are", async () => {
    const entry = [
      { resource: patient("p1"), request: { method: "PUT", url: "Patient/p1" }, response: { status: "200" } },
    ];
    expect((await call("POST", "", bundle("history", entry))).status).toBe(200);
    // A slash at the end is the same address.
    expect((await call("PUT", "/Patient/p2/", patient("p2"))).status).toBe(200);
    expect(units().map(({ events }) => events.map(({ type }) => type))).toEqual([
      ["PatientUpdated"],
      ["PatientUpdated"],
    ]);
  });

  it("tell nothing of their content when they are refused", async () => {
    const { status, text } = await call(
      "POST",
      "/Patient",
      patient("p1", { birthDate: "Jane Roe", address: "Elm St" }),
    );
    expect(status).toBe(400);
    expect(text).not.toMatch(/Jane|Elm/);
    expect(text).toContain("Patient.birthDate");
  });

  it("are taken again after nothing was durable", async () => {
    bench.intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
    const refused = await call("POST", "/Patient", patient("p1"));
    expect([refused.status, refused.body.resourceType, refused.body.issue[0].code]).toEqual([
      503,
      "OperationOutcome",
      "transient",
    ]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    bench.intake.beforeSubmit = async () => {};
    expect((await call("POST", "/Patient", patient("p1"))).status).toBe(201);
  });

  it("of a transaction that was cut off are completed when it is sent again, each with the verdict it had", async () => {
    const many = Array.from({ length: 450 }, (_, index) => put(patient(`p${index}`)));
    let goes = 0;
    bench.intake.beforeSubmit = async () => {
      if (++goes === 2) throw new TributaryError("TRIB_INTAKE_UNAVAILABLE");
    };
    expect((await call("POST", "", bundle("transaction", many))).status).toBe(503);
    const cut = [...bench.intake.units];
    expect([cut.length, cut.some(({ entry }) => entry === "CLOSING")]).toEqual([201, false]);
    const { status, body } = await call("POST", "", bundle("transaction", many));
    expect([status, body.entry.length]).toEqual([200, 450]);
    const again = bench.intake.units.slice(cut.length);
    expect(again.at(-1)).toMatchObject({ entry: "CLOSING", closing: { units: 450 } });
    // What the journal has is the same unit, by which the ledger knows that it is a resend.
    const about = ({ identity, verdict, events: [event] }: (typeof cut)[number]) => [identity, verdict, event?.subject];
    const before = cut.slice(1).map(about);
    expect(again.slice(1, 201).map(about)).toEqual(before);
    expect(new Set(before.map(([identity]) => JSON.stringify(identity))).size).toBe(200);
  });

  it("are validated without being kept", async () => {
    const good = await call("POST", "/Patient/$validate", patient("p1"));
    expect([good.status, good.body.issue[0].severity]).toEqual([200, "information"]);
    expect(good.body.issue[0].details.text).toContain("Nothing of it was kept");
    const parameter = [{ name: "resource", resource: patient("p1", { gender: "M" }) }];
    const bad = await call("POST", "/$validate", { resourceType: "Parameters", parameter });
    expect(bad.body.issue[0]).toMatchObject({
      severity: "error",
      code: "code-invalid",
      expression: ["Patient.gender"],
    });
    expect(bench.intake.units).toEqual([]);
  });

  it("can be found out about by anybody", async () => {
    const { body } = await fetch(`${base()}/metadata`).then(async (response) => ({ body: await response.json() }));
    expect(body).toMatchObject({ resourceType: "CapabilityStatement", fhirVersion: "4.0.1" });
    const checked = await call("POST", "/CapabilityStatement/$validate", body);
    expect(checked.body.issue.filter(({ severity }: { severity: string }) => severity === "error")).toEqual([]);
  });
});

describe("bundles", () => {
  it("of type batch have a verdict an entry", async () => {
    const { status, body } = await call(
      "POST",
      "",
      bundle("batch", [put(patient("p1")), put(patient("p2", { gender: "M" }))]),
    );
    expect([status, body.type]).toEqual([200, "batch-response"]);
    expect(body.entry.map((entry: { response: { status: string } }) => entry.response.status)).toEqual([
      "200 OK",
      "422",
    ]);
    expect(units().map(({ verdict }) => verdict.accepted)).toEqual([true, false]);
  });

  it("of type transaction are taken as a whole or not at all", async () => {
    const failed = await call(
      "POST",
      "",
      bundle("transaction", [put(patient("p1")), put(patient("p2", { gender: "M" }))]),
    );
    expect([failed.status, failed.body.issue[0].expression]).toEqual([422, ["Bundle.entry[1].resource.gender"]]);
    expect(units().map(({ verdict, events }) => [verdict.accepted, events.length])).toEqual([
      [false, 0],
      [false, 0],
    ]);
    const done = await call("POST", "", bundle("transaction", [put(patient("p1")), put(patient("p2"))]));
    expect([done.status, done.body.type]).toEqual([200, "transaction-response"]);
  });

  it("can be put together again from their entries in the journal, byte for byte", async () => {
    const text = JSON.stringify(bundle("batch", [put(patient("p1")), put(patient("p2"))]), null, 3);
    await call("POST", "", text);
    const [skeleton] = bench.intake.units.filter(({ entry }) => entry === "ENVELOPE");
    let whole = Buffer.from(skeleton!.bytes);
    for (const { bytes, transport } of units()) {
      const at = transport!.byteOffset;
      whole = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at)]);
    }
    expect(whole.toString()).toBe(text);
    expect(bench.intake.units.at(-1)).toMatchObject({ entry: "CLOSING", closing: { units: 2, bytes: text.length } });
  });

  it("of type message are answered by a message, the same each time", async () => {
    const header = {
      resourceType: "MessageHeader",
      id: "m1",
      eventCoding: { system: "urn:x", code: "admit" },
      source: { endpoint: "urn:lake" },
    };
    const message = {
      ...bundle("message", [{ resource: header }, { resource: patient("p1") }]),
      timestamp: "2026-03-01T10:00:00Z",
    };
    const first = await call("POST", "/$process-message", message);
    expect(first.status).toBe(200);
    expect(first.body.entry[0].resource.response).toMatchObject({ identifier: "m1", code: "ok" });
    expect((await call("POST", "/$process-message", message)).text).toBe(first.text);
    const bad = { ...message, entry: [{ resource: header }, { resource: patient("p1", { gender: "M" }) }] };
    expect((await call("POST", "/$process-message", bad)).body.entry[0].resource.response.code).toBe("fatal-error");
    expect((await call("POST", "/$process-message", bundle("batch", []))).status).toBe(422);
  });
});

describe("bulk lines", () => {
  const line = (id: number, gender = "female") => JSON.stringify(patient(`p${id}`, { gender }));

  it("are told which of them were rejected, gzipped too, without an end of the last line", async () => {
    const text = [line(1), "", line(2, "M"), "{broken", line(3)].join("\n");
    const { status, body } = await call("POST", "", gzipSync(text), "application/fhir+ndjson");
    expect(status).toBe(422);
    const places = body.issue.slice(1).map(({ expression }: { expression: string[] }) => expression[0]);
    expect(places).toEqual(["line[3].Patient.gender", "line[4].Resource"]);
    expect(units().map(({ verdict }) => verdict.accepted)).toEqual([true, false, false, true]);
  });

  it("are journalled while they arrive, never many at once", async () => {
    let most = 0;
    bench.intake.beforeSubmit = async (some) => {
      most = Math.max(most, some.length);
    };
    const text = Array.from({ length: 1_000 }, (_, index) => line(index)).join("\n");
    expect((await call("POST", "/Patient", text, "application/fhir+ndjson")).status).toBe(200);
    expect(units()).toHaveLength(1_000);
    expect(most).toBeLessThanOrEqual(200);
  });
});
