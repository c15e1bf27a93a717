import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, SignJWT } from "jose";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startReceptionBench } from "../testing/reception-bench.js";
import { UsedAssertions } from "./used-assertions.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tributary-used-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it("an assertion gives one token, also when the connector starts again", async () => {
  const port = await freePort();
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES384" }] });
  const way = { method: "private-key-jwt", clientId: "acme-client", jwks: "keys", scopes: ["system/*.write"] };
  const open = () =>
    startReceptionBench(
      { acme: [way] },
      { routes: [], credentials: { keys }, home, environment: { CONNECTOR_PORTS: `bench=${port}` } },
    );
  const audience = `http://127.0.0.1:${port}/partners/acme/token`;
  const assertion = await new SignJWT({ iss: "acme-client", sub: "acme-client", aud: audience, jti: randomUUID() })
    .setProtectedHeader({ alg: "ES384", kid: "one" })
    .setExpirationTime("4m")
    .sign(privateKey);
  const ask = async () => {
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion,
    });
    return (await fetch(audience, { method: "POST", body, headers: { connection: "close" } })).status;
  };
  const first = await open();
  expect([await ask(), await ask()]).toEqual([200, 401]);
  await first.close();
  const second = await open();
  expect(await ask()).toBe(401);
  await second.close();
});

it("of two processes at once one takes it, and what is over is forgotten", async () => {
  const [one, other] = [new UsedAssertions(home, 360), new UsedAssertions(home, 360)];
  const now = Date.now();
  const taken = await Promise.all([one, other, one, other].map((used) => used.use("client", "j1", now)));
  expect(taken.filter(Boolean)).toHaveLength(1);
  expect(await one.use("another", "j1", now)).toBe(true);
  expect(readdirSync(home)).toHaveLength(2);
  expect(readdirSync(home).join()).not.toContain("client");
  const late = new UsedAssertions(home, 360);
  expect(await late.use("client", "j2", now + 359_000)).toBe(true);
  expect(readdirSync(home)).toHaveLength(3);
  expect(await late.use("client", "j3", now + 362_000)).toBe(true);
  expect(readdirSync(home)).toHaveLength(2);
});

it("whose use can't be kept gives no token, and may be tried again", async () => {
  const folder = join(home, "used");
  writeFileSync(folder, "no folder");
  const used = new UsedAssertions(folder, 360);
  await expect(used.use("client", "j1", 0)).rejects.toMatchObject({ code: "TRIB_RECEPTION_STATE_UNWRITABLE" });
  rmSync(folder);
  expect(await used.use("client", "j1", 0)).toBe(true);
});
