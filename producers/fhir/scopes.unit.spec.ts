import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK } from "jose";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Receiver } from "../../engine/intake/connector.js";
import { postAsPartner } from "../../engine/reception/partner-client.js";
import { readSettings } from "../../engine/service/settings.js";
import { recordingIntake } from "../../engine/testing/recording-intake.js";
import connector from "./connector.js";
import { profileSchema } from "./profile.js";

const home = mkdtempSync(join(tmpdir(), "tributary-scopes-"));
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const intake = recordingIntake();
let receiver: Receiver;

beforeAll(async () => {
  writeFileSync(join(home, "keys"), JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const lake = profileSchema.parse({
    authentication: [{ method: "private-key-jwt", clientId: "lake", jwks: "keys", scopes: ["system/*.write"] }],
  });
  receiver = await connector.receive({
    intake,
    settings: readSettings({ TRIBUTARY_HOME: home, CONNECTOR_CREDENTIALS: home }),
    profiles: new Map([["lake", lake]]),
    logger: pino({ level: "silent" }),
  });
});
afterAll(async () => {
  await receiver?.close();
  rmSync(home, { recursive: true, force: true });
});

async function post(scope: string, path: string, body: unknown, type = "application/fhir+json") {
  const base = receiver.addresses.find(({ protocol }) => protocol === "http")!.url;
  const sent = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const sending = { headers: { "content-type": type }, body: sent, base };
  const answer = await postAsPartner(`${base}${path}`, sending, { client: { id: "lake", key, scope } });
  return { status: answer.status, body: JSON.parse(answer.body.toString("utf8")) };
}

const patient = (id: string) => ({ resourceType: "Patient", id, gender: "female" });
const encounter = { resourceType: "Encounter", id: "e1", status: "finished", class: { code: "AMB" } };
const forbidden = (place: string) => ({
  resourceType: "OperationOutcome",
  issue: [{ severity: "error", code: "forbidden", expression: [place] }],
});

describe("the scopes of an access token", () => {
  it("let a client create what they name, and nothing else: 403 with the reason, and no event", async () => {
    expect(await post("system/Patient.c", "/Patient", patient("p1"))).toMatchObject({ status: 201 });
    const before = intake.units.flatMap(({ events }) => events).length;
    for (const [scope, path, resource, place] of [
      ["system/Encounter.c", "/Patient", patient("p2"), "Patient"],
      ["system/Patient.u", "/Patient", patient("p2"), "Patient"],
      ["system/*.d", "/Patient", patient("p2"), "Patient"],
      ["system/Patient.cud", "", encounter, "Encounter"],
    ] as const) {
      const answer = await post(scope, path, resource);
      expect(answer, scope).toMatchObject({ status: 403, body: forbidden(place) });
    }
    expect(intake.units.flatMap(({ events }) => events)).toHaveLength(before);
  });

  it("hold for each entry of a bundle, a transaction as a whole, and for each line", async () => {
    const put = (resource: { resourceType: string; id: string }, method = "PUT") => ({
      resource,
      request: { method, url: method === "PUT" ? `${resource.resourceType}/${resource.id}` : resource.resourceType },
    });
    const entry = [put(patient("p3")), put(encounter)];
    const batch = await post("system/Patient.u", "", { resourceType: "Bundle", type: "batch", entry });
    expect(batch.body.entry.map((one: { response: { status: string } }) => one.response.status)).toEqual([
      "200 OK",
      "403",
    ]);
    const transaction = await post("system/Patient.u", "", { resourceType: "Bundle", type: "transaction", entry });
    expect(transaction).toMatchObject({ status: 403, body: forbidden("Bundle.entry[1].resource") });
    const lines = `${JSON.stringify(patient("p4"))}\n${JSON.stringify(encounter)}\n`;
    const told = await post("system/Patient.u", "", lines, "application/fhir+ndjson");
    expect([told.status, told.body.issue[1]]).toMatchObject([
      422,
      { code: "forbidden", expression: ["line[2].Encounter"] },
    ]);
  });

  it("in the words of SMART 1 mean the same", async () => {
    expect(await post("system/Patient.write", "/Patient", patient("p5"))).toMatchObject({ status: 201 });
    expect(await post("system/*.write", "/Encounter", encounter)).toMatchObject({ status: 201 });
  });
});
