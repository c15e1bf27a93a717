import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings, type Settings } from "../service/settings.js";
import { schemaIdOf, standaloneCodec } from "./codec.js";
import { connectCodec, lookupSchemas, registerSchemas } from "./registry.js";
import { rootRecords } from "./schemas.js";

const registry = process.env.SCHEMA_REGISTRY_URL;

describe.skipIf(!registry)("schema registry", () => {
  const prefix = `spec${randomBytes(4).toString("hex")}.`;
  const settings: Settings = { ...readSettings(), TOPIC_PREFIX: prefix };

  beforeAll(async () => {
    await expect(lookupSchemas(settings)).rejects.toMatchObject({ code: "TRIB_LOG_SCHEMA_NOT_REGISTERED" });
    await registerSchemas(settings);
  }, 60_000);

  afterAll(async () => {
    for (const subject of await subjects()) {
      await fetch(`${registry}/subjects/${encodeURIComponent(subject)}`, { method: "DELETE" });
    }
  });

  const expected = [...rootRecords().values()].flatMap((root) =>
    root.topics.map((topic) => `${prefix}${topic}-${root.fullName}`),
  );

  /** Asked one by one: a registry lists no more than a thousand, and others' specs have theirs there too. */
  async function subjects(): Promise<string[]> {
    const there = await Promise.all(
      expected.map(async (subject) => (await fetch(`${registry}/subjects/${encodeURIComponent(subject)}/versions`)).ok),
    );
    return expected.filter((_subject, index) => there[index]);
  }

  it("has a subject for every record under its topic, FULL_TRANSITIVE", async () => {
    expect(await subjects()).toEqual(expected);
    for (const subject of expected) {
      const config = await (await fetch(`${registry}/config/${encodeURIComponent(subject)}`)).json();
      expect(config).toEqual({ compatibilityLevel: "FULL_TRANSITIVE" });
    }
  });

  it("registers again without a new version", async () => {
    const first = await lookupSchemas(settings);
    const versionsOf = async (subject: string) =>
      (await fetch(`${registry}/subjects/${encodeURIComponent(subject)}/versions`)).json();
    const evolved = `${prefix}health.audit.events-health.audit.AccessRecorded`;
    expect(await versionsOf(evolved)).toEqual([1, 2]);
    const again = await registerSchemas(settings);
    expect(new Set(again.map(({ id }) => id))).toEqual(new Set(first.current.values()));
    expect(await versionsOf(evolved)).toEqual([1, 2]);
    const other = again.find(({ subject }) => subject !== evolved);
    expect(await versionsOf(other?.subject ?? "")).toEqual([1]);
  });

  it("refuses a version that is not compatible", async () => {
    const subject = encodeURIComponent(`${prefix}health.visit.events-health.visit.VisitEnded`);
    const schema = {
      type: "record",
      name: "VisitEnded",
      namespace: "health.visit",
      fields: [{ name: "x", type: "int" }],
    };
    const answer = await fetch(`${registry}/subjects/${subject}/versions`, {
      method: "POST",
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
    });
    expect(answer.status).toBe(409);
  });

  it("gives a codec whose ids are the registry's, and learns others by id", async () => {
    const codec = await connectCodec(settings);
    const details = { visitNumber: "V1", identifierValues: ["T-1"] };
    const bytes = codec.encodeSealed("VisitEnded", details);
    const written = (await (await fetch(`${registry}/schemas/ids/${schemaIdOf(bytes)}`)).json()) as { schema: string };
    expect(JSON.parse(written.schema)).toMatchObject({ name: "VisitDetails" });
    expect(codec.decodeSealed("VisitEnded", bytes)).toEqual(details);
    await expect(codec.learn(999_999)).rejects.toMatchObject({ code: "TRIB_LOG_UNKNOWN_SCHEMA" });
    expect(bytes.subarray(5)).toEqual(standaloneCodec().encodeSealed("VisitEnded", details).subarray(5));
  });

  it("says when the registry isn't there, and that it may come back", async () => {
    const gone = { ...settings, SCHEMA_REGISTRY_URL: "http://127.0.0.1:1/apis" };
    const thrown = await lookupSchemas(gone).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "TRIB_LOG_REGISTRY_UNAVAILABLE", definition: { retriable: true } });
  }, 20_000);
});
