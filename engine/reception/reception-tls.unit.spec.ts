import { X509Certificate } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificateFolder } from "../testing/certificates.js";
import { type ReceptionBench, startReceptionBench } from "../testing/reception-bench.js";
import type { Route } from "./reception.js";

const { folder, path, openssl, hasOpenssl } = certificateFolder("tls");
afterAll(() => rmSync(folder, { recursive: true }));

const route: Route<never> = {
  method: "POST",
  path: "/things",
  take: async ({ partner }) => ({ status: 200, body: partner }),
};

function certificate(name: string, subject: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...curve, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.pem`);
}

const fingerprint = (name: string) => new X509Certificate(readFileSync(path(`${name}.pem`))).fingerprint256;

describe.skipIf(!hasOpenssl)("a reception over TLS", () => {
  let bench: ReceptionBench;

  beforeAll(async () => {
    certificate("server", "/CN=127.0.0.1");
    for (const name of ["authority", "pinned", "stranger"]) certificate(name, `/CN=${name}`);
    bench = await startReceptionBench(
      {
        named: [{ method: "certificate", subject: "authority" }],
        pinned: [{ method: "certificate", fingerprints: [fingerprint("pinned")] }],
        basic: [{ method: "basic", user: "basic", password: "word" }],
      },
      {
        routes: [route],
        credentials: { word: "open\n" },
        environment: {
          CONNECTOR_TLS_CERT_FILE: path("server.pem"),
          CONNECTOR_TLS_KEY_FILE: path("server.key"),
          CONNECTOR_TLS_CA_FILE: path("authority.pem"),
        },
      },
    );
  });
  afterAll(() => bench?.close());

  const post = (partner: string, shown?: string, headers: Record<string, string> = {}) =>
    new Promise<number | undefined>((resolve, reject) => {
      const identity = shown
        ? { cert: readFileSync(path(`${shown}.pem`)), key: readFileSync(path(`${shown}.key`)) }
        : {};
      const options = { method: "POST", ca: readFileSync(path("server.pem")), headers, agent: false, ...identity };
      const sent = request(
        `${bench.url(partner)}/things`,
        { ...options, checkServerIdentity: () => undefined },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      );
      sent.on("error", reject);
      sent.end("x");
    });

  it("knows a partner by the name in a certificate of its authority, or by the certificate itself", async () => {
    expect(new URL(bench.url("named")).protocol).toBe("https:");
    expect(await post("named", "authority")).toBe(200);
    expect(await post("pinned", "pinned")).toBe(200);
  });

  it("lets nobody in with none, another's, or one of the right name that no authority signed", async () => {
    certificate("forged", "/CN=authority");
    expect(await post("named")).toBe(401);
    expect(await post("named", "forged")).toBe(401);
    expect(await post("named", "pinned")).toBe(401);
    expect(await post("pinned", "authority")).toBe(401);
  });

  it("takes a password here, and no wrong one", async () => {
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    expect(await post("basic", undefined, basic("basic:open"))).toBe(200);
    expect(await post("basic", "stranger", basic("basic:open "))).toBe(401);
    expect(await post("basic", undefined, basic("named:open"))).toBe(401);
  });
});
