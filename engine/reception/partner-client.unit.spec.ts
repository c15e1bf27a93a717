import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReceptionBench, startReceptionBench } from "../testing/reception-bench.js";
import { type PartnerProof, postAsPartner } from "./partner-client.js";
import type { Route } from "./reception.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-proof-"));
const pem = (name: string) => readFileSync(join(folder, name), "utf8");
const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "pipe" });
    return true;
  } catch {
    console.log("skipped: no openssl command to make test certificates");
    return false;
  }
})();

function certificate(name: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const files = ["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`];
  execFileSync("openssl", ["req", "-x509", ...curve, ...files], { cwd: folder, stdio: "pipe" });
}

const route: Route<never> = {
  method: "POST",
  path: "/things",
  take: async ({ partner, scopes }, body) => ({ status: 200, body: `${partner} ${body.length} ${scopes}` }),
};

const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const clientKey = privateKey.export({ type: "pkcs8", format: "pem" }) as string;

describe.skipIf(!hasOpenssl)("what a partner sends, with its proof", () => {
  let bench: ReceptionBench;
  const post = async (partner: string, proof: PartnerProof = {}) => {
    const base = bench.url(partner);
    const { status, body } = await postAsPartner(`${base}/things`, { body: Buffer.from("abc"), base }, proof);
    return status === 200 ? body.toString() : status;
  };

  beforeAll(async () => {
    for (const name of ["server", "lake", "other"]) certificate(name);
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES384" }] });
    const client = { method: "private-key-jwt", clientId: "lake", jwks: "keys", scopes: ["system/Patient.cu"] };
    bench = await startReceptionBench(
      {
        certificate: [{ method: "certificate", fingerprints: [new X509Certificate(pem("lake.pem")).fingerprint256] }],
        signature: [{ method: "signature", keys: ["hook"] }],
        client: [client],
        basic: [{ method: "basic", user: "lake", password: "word" }],
      },
      {
        routes: [route],
        credentials: { hook: secret, keys, word: "open" },
        environment: {
          CONNECTOR_TLS_CERT_FILE: join(folder, "server.pem"),
          CONNECTOR_TLS_KEY_FILE: join(folder, "server.key"),
        },
      },
    );
  });
  afterAll(async () => {
    await bench?.close();
    rmSync(folder, { recursive: true });
  });

  it("is let in by each way that a profile can list", async () => {
    const pinned = [pem("server.pem")];
    const shown = (name: string) => ({ pinned, certificate: { cert: pem(`${name}.pem`), key: pem(`${name}.key`) } });
    expect(await post("certificate", shown("lake"))).toBe("certificate 3 undefined");
    expect(await post("certificate", shown("other"))).toBe(401);
    expect(await post("signature", { pinned, secret })).toBe("signature 3 undefined");
    expect(await post("signature", { pinned })).toBe(401);
    expect(await post("basic", { pinned, basic: { user: "lake", password: "open" } })).toBe("basic 3 undefined");
    expect(await post("basic", { pinned, basic: { user: "lake", password: "shut" } })).toBe(401);
    expect(await post("client", { pinned, client: { id: "lake", key: clientKey } })).toBe("client 3 system/Patient.cu");
  });

  it("asks for less than it may have, and is refused what is more", async () => {
    const pinned = [pem("server.pem")];
    const asking = (scope: string) => post("client", { pinned, client: { id: "lake", key: clientKey, scope } });
    expect(await asking("system/Patient.c")).toBe("client 3 system/Patient.c");
    for (const scope of ["system/Patient.d", "system/*.c", "system/Patient.write"])
      await expect(asking(scope), scope).rejects.toMatchObject({ code: "TRIB_CLI_PROOF_UNUSABLE" });
  });

  it("goes to nobody but the server whose certificate it knows", async () => {
    const untrusted = { code: "TRIB_CLI_SERVER_UNTRUSTED", message: expect.stringContaining("is not trusted") };
    await expect(post("basic")).rejects.toMatchObject(untrusted);
    await expect(post("basic", { pinned: [pem("other.pem")] })).rejects.toMatchObject(untrusted);
    await expect(post("basic", { authority: pem("server.pem") })).rejects.toMatchObject({
      code: "TRIB_CLI_SERVER_UNTRUSTED",
      message: expect.stringContaining("for another name: server."),
    });
    const nobody = postAsPartner("https://127.0.0.1:1/things", { body: Buffer.from("abc") });
    await expect(nobody).rejects.toMatchObject({ code: "TRIB_CONNECTOR_UNREACHABLE" });
  });

  it("is told that a server wants a certificate, where it lets nobody in without", async () => {
    const keys = { cert: pem("server.pem"), key: pem("server.key") };
    const server = createServer({ ...keys, ca: pem("lake.pem"), requestCert: true, rejectUnauthorized: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}/things`;
    const sent = postAsPartner(url, { body: Buffer.from("abc") }, { pinned: [pem("server.pem")] });
    await expect(sent).rejects.toMatchObject({ code: "TRIB_CLI_CERTIFICATE_REFUSED" });
    await new Promise((resolve) => server.close(resolve));
  });
});
