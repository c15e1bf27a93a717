import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import Fastify from "fastify";
import { exportJWK, SignJWT } from "jose";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type ReceptionBench, startReceptionBench } from "../testing/reception-bench.js";
import { AccessTokens, tokenClientOf } from "./access-tokens.js";
import type { Route } from "./reception.js";
import { UsedAssertions } from "./used-assertions.js";
import { signatureOf } from "./webhook-signature.js";

const benches: ReceptionBench[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
});

async function start(...[partners, options]: Parameters<typeof startReceptionBench>): Promise<ReceptionBench> {
  const bench = await startReceptionBench(partners, options);
  benches.push(bench);
  return bench;
}

/** Answers how many bytes came, and from whom. */
const counting: Route<never> = {
  method: "POST",
  path: "/things",
  take: async ({ partner }, body) => ({ status: 200, body: `${partner} ${body.length}` }),
};

const streaming: Route<never> = {
  method: "POST",
  path: "/streams",
  async stream({ partner }, body) {
    let size = 0;
    for await (const chunk of body) size += chunk.length;
    return { status: 200, body: `${partner} ${size}` };
  },
};

const routes: readonly Route<never>[] = [counting, streaming];

async function post(url: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const sent = typeof body === "string" ? body : new Uint8Array(body);
  const response = await fetch(url, { method: "POST", body: sent, headers });
  const text = await response.text();
  return { status: response.status, text, code: /"code":"(\w+)"/.exec(text)?.[1], headers: response.headers };
}

const secret = Buffer.from("0123456789abcdef0123456789abcdef");
const whsec = `whsec_${secret.toString("base64")}`;

function signed(body: string, at: number = Date.now(), key: Buffer = secret): Record<string, string> {
  const head = { id: "msg_1", timestamp: String(Math.floor(at / 1000)) };
  return {
    "webhook-id": head.id,
    "webhook-timestamp": head.timestamp,
    "webhook-signature": signatureOf(head, Buffer.from(body), key),
  };
}

describe("who is let in", () => {
  it("needs no proof of a partner without authentication, but in production it is let in nowhere", async () => {
    const open = await start({ generic: [] }, { routes });
    expect(await post(`${open.url("generic")}/things`, "abc")).toMatchObject({ status: 200, text: "generic 3" });
    const production = await start({ lake: [] }, { routes, environment: { TRIBUTARY_ENV: "production" } });
    expect(await post(`${production.url("lake")}/things`, "abc")).toMatchObject({ status: 401 });
  });

  it("knows a signed body, held or streamed, and no changed, old or foreign one", async () => {
    const { url } = await start(
      { acme: [{ method: "signature", keys: ["hook"] }], other: [{ method: "signature", keys: ["other"] }] },
      { routes, credentials: { hook: whsec, other: `whsec_${Buffer.alloc(32, 7).toString("base64")}` } },
    );
    for (const path of ["things", "streams"]) {
      const to = `${url("acme")}/${path}`;
      expect(await post(to, "abc", signed("abc"))).toMatchObject({ status: 200, text: "acme 3" });
      expect(await post(to, "abd", signed("abc"))).toMatchObject({ status: 401 });
      expect(await post(to, "abc", signed("abc", Date.now() - 301_000))).toMatchObject({ status: 401 });
      expect(await post(to, "abc")).toMatchObject({ status: 401, code: "TRIB_RECEPTION_UNAUTHENTICATED" });
    }
    expect(await post(`${url("other")}/things`, "abc", signed("abc"))).toMatchObject({ status: 401 });
  });

  it("knows the old and the new of two secrets while they change, and a signature of the time agreed", async () => {
    const old = Buffer.alloc(32, 9);
    const whsecOf = (key: Buffer) => `whsec_${key.toString("base64")}`;
    const way = { method: "signature", keys: ["old", "new"], toleranceSeconds: 60 };
    const { url } = await start({ acme: [way] }, { routes, credentials: { old: whsecOf(old), new: whsec } });
    const to = `${url("acme")}/things`;
    expect(await post(to, "abc", signed("abc", Date.now(), old))).toMatchObject({ status: 200 });
    expect(await post(to, "abc", signed("abc"))).toMatchObject({ status: 200 });
    expect(await post(to, "abc", signed("abc", Date.now(), Buffer.alloc(32, 8)))).toMatchObject({ status: 401 });
    for (const [seconds, status] of [
      [-50, 200],
      [-61, 401],
      [50, 200],
      [62, 401],
    ] as const)
      expect(await post(to, "abc", signed("abc", Date.now() + seconds * 1000)), `${seconds} s`).toMatchObject({
        status,
      });
    // Another id or time than the signed one makes another message of it.
    for (const name of ["webhook-id", "webhook-timestamp"])
      expect(await post(to, "abc", { ...signed("abc"), [name]: "1" })).toMatchObject({ status: 401 });
  });

  it("knows an Ed25519 signature, also beside one it can't read", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    const { url } = await start(
      { acme: [{ method: "signature", keys: ["hook"] }] },
      { routes, credentials: { hook: `whpk_${raw.toString("base64")}` } },
    );
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = sign(null, Buffer.from(`m1.${timestamp}.abc`), privateKey).toString("base64");
    const headers = {
      "webhook-id": "m1",
      "webhook-timestamp": timestamp,
      "webhook-signature": `v9,AAAA v1a,${signature}`,
    };
    expect(await post(`${url("acme")}/things`, "abc", headers)).toMatchObject({ status: 200 });
    expect(await post(`${url("acme")}/things`, "abe", headers)).toMatchObject({ status: 401 });
  });

  it("takes no password in the clear", async () => {
    const { url } = await start(
      { acme: [{ method: "basic", user: "acme", password: "word" }] },
      { routes, credentials: { word: "open" } },
    );
    const authorization = `Basic ${Buffer.from("acme:open").toString("base64")}`;
    expect(await post(`${url("acme")}/things`, "abc", { authorization })).toMatchObject({ status: 401 });
  });

  it("does not start with a credential that is missing, naming the file", async () => {
    const starting = start({ acme: [{ method: "signature", keys: ["hook"] }] }, { routes });
    await expect(starting).rejects.toMatchObject({
      code: "TRIB_RECEPTION_CREDENTIAL_MISSING",
      message: expect.stringContaining("hook"),
    });
  });
});

describe("access tokens (SMART Backend Services)", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const partners = {
    acme: [{ method: "private-key-jwt", clientId: "acme-client", jwks: "keys" }],
    other: [{ method: "private-key-jwt", clientId: "acme-client", jwks: "keys" }],
  };

  async function open(environment: Record<string, string> = {}) {
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES384" }] });
    return start(partners, { routes, credentials: { keys }, environment });
  }

  const assertion = (audience: string, change: Record<string, unknown> = {}) =>
    new SignJWT({
      iss: "acme-client",
      sub: "acme-client",
      aud: audience,
      jti: randomUUID(),
      exp: Math.floor(Date.now() / 1000) + 240,
      ...change,
    })
      .setProtectedHeader({ alg: "ES384", kid: "one" })
      .sign(privateKey);

  const ask = (url: string, client_assertion: string, scope = "system/*.write") =>
    post(
      `${url}/token`,
      new URLSearchParams({
        grant_type: "client_credentials",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion,
        scope,
      }).toString(),
      { "content-type": "application/x-www-form-urlencoded" },
    );

  it("gives a token for an assertion, and lets it in at that partner only", async () => {
    const { url } = await open();
    const configuration = await (await fetch(`${url("acme")}/.well-known/smart-configuration`)).json();
    expect(configuration).toMatchObject({ token_endpoint: `${url("acme")}/token` });
    const answer = await ask(url("acme"), await assertion(`${url("acme")}/token`));
    expect(answer.status).toBe(200);
    const token = JSON.parse(answer.text) as { access_token: string; expires_in: number };
    expect(token.expires_in).toBeLessThanOrEqual(300);
    const authorization = `Bearer ${token.access_token}`;
    expect(await post(`${url("acme")}/things`, "abc", { authorization })).toMatchObject({ status: 200 });
    expect(await post(`${url("other")}/things`, "abc", { authorization })).toMatchObject({ status: 401 });
    expect(await post(`${url("acme")}/things`, "abc", { authorization: `${authorization}x` })).toMatchObject({
      status: 401,
    });
  });

  it("refuses an assertion used twice, for another server, too long, over, by another client or key", async () => {
    const { url } = await open();
    const audience = `${url("acme")}/token`;
    const once = await assertion(audience);
    expect(await ask(url("acme"), once)).toMatchObject({ status: 200 });
    const now = Math.floor(Date.now() / 1000);
    const wrong = [
      once,
      await assertion("https://elsewhere.example/token"),
      await assertion(audience, { exp: now + 3600 }),
      await assertion(audience, { exp: now - 60 }),
      await assertion(audience, { iss: "another" }),
      await assertion(audience, { jti: undefined }),
      await new SignJWT({ iss: "acme-client", sub: "acme-client", aud: audience, jti: "x", exp: now + 60 })
        .setProtectedHeader({ alg: "ES384", kid: "one" })
        .sign(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey),
      "no.jwt.atall",
    ];
    for (const [index, one] of wrong.entries())
      expect(await ask(url("acme"), one), String(index)).toMatchObject({
        status: 401,
        text: expect.stringContaining("invalid_client"),
      });
    expect(await ask(url("acme"), await assertion(audience), "user/*.read")).toMatchObject({ status: 400 });
  });

  it("follows a key set that its client changes, and says when it can't be had", async () => {
    const pairs = ["one", "two"].map((kid) => ({ kid, ...generateKeyPairSync("ec", { namedCurve: "P-384" }) }));
    const published = async (...names: string[]) => ({
      keys: await Promise.all(
        pairs
          .filter(({ kid }) => names.includes(kid))
          .map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: "ES384" })),
      ),
    });
    let set: object | undefined = await published("one");
    const theirs = Fastify();
    theirs.get("/jwks.json", (_request, reply) => set ?? reply.code(500).send());
    const jwksUrl = `${await theirs.listen({ port: 0, host: "127.0.0.1" })}/jwks.json`;
    const way = { clientId: "acme-client", jwksUrl, scopes: ["system/*.write"] };
    const clients = [tokenClientOf({ ...way, method: "private-key-jwt" }, () => "")];
    const folder = mkdtempSync(join(tmpdir(), "tributary-used-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const tokens = new AccessTokens("bench", undefined, new UsedAssertions(folder, 360));
    const granted = async (kid: string, at: number) => {
      const claims = { iss: "acme-client", sub: "acme-client", aud: "here", jti: randomUUID(), exp: at / 1000 + 60 };
      const { privateKey } = pairs.find((pair) => pair.kid === kid)!;
      const assertion = await new SignJWT(claims).setProtectedHeader({ alg: "ES384", kid }).sign(privateKey);
      const form = new URLSearchParams({
        grant_type: "client_credentials",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: assertion,
      });
      return (await tokens.grant("acme", clients, form, ["here"], at)).status;
    };
    vi.useFakeTimers({ toFake: ["Date"] });
    const later = (seconds: number) =>
      vi
        .setSystemTime(Date.now() + seconds * 1000)
        .getMockedSystemTime()!
        .getTime();
    expect(await granted("one", Date.now())).toBe(200);
    set = await published("one", "two");
    expect(await granted("two", later(31))).toBe(200);
    set = await published("two");
    expect(await granted("one", later(601))).toBe(401);
    expect(await granted("two", Date.now())).toBe(200);
    set = undefined;
    await expect(granted("two", later(601))).rejects.toMatchObject({ code: "TRIB_RECEPTION_KEYS_UNREACHABLE" });
    await theirs.close();
  });

  it("goes by the address that partners know, whatever the request says", async () => {
    const { url } = await open({ CONNECTOR_URLS: "bench=https://api.example" });
    const audience = "https://api.example/partners/acme/token";
    expect(await ask(url("acme"), await assertion(audience))).toMatchObject({ status: 200 });
    expect(await ask(url("acme"), await assertion(`${url("acme")}/token`))).toMatchObject({ status: 401 });
  });
});

describe("what is too much", () => {
  const environment = { CONNECTOR_BODY_LIMIT: "2000", CONNECTOR_DECODED_LIMIT: "5000" };

  it("refuses a body over the limits, as sent and decompressed, and goes on", async () => {
    const { url } = await start({ generic: [] }, { routes, environment });
    for (const path of ["things", "streams"]) {
      const to = `${url("generic")}/${path}`;
      const gzip = { "content-encoding": "gzip" };
      expect(await post(to, "x".repeat(2001))).toMatchObject({ status: 413 });
      expect(await post(to, gzipSync("x".repeat(5000)), gzip)).toMatchObject({ status: 200, text: "generic 5000" });
      expect(await post(to, gzipSync("x".repeat(5001)), gzip)).toMatchObject({ status: 413 });
      expect(await post(to, "no gzip", gzip)).toMatchObject({ status: 400, code: "TRIB_RECEPTION_BODY_UNREADABLE" });
      expect(await post(to, gzipSync("cut off").subarray(0, 12), gzip)).toMatchObject({ status: 400 });
      expect(await post(to, "x", { "content-encoding": "zip" })).toMatchObject({ status: 415 });
      expect(await post(to, "fine")).toMatchObject({ status: 200 });
    }
  });

  it("refuses a bomb long before it is unpacked", async () => {
    const { url } = await start({ generic: [] }, { routes });
    const bomb = gzipSync(Buffer.alloc(150_000_000));
    expect(bomb.length).toBeLessThan(200_000);
    const before = process.memoryUsage().rss;
    expect(await post(`${url("generic")}/streams`, bomb, { "content-encoding": "gzip" })).toMatchObject({
      status: 413,
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it("turns away with 503 and Retry-After what doesn't fit beside what is in hand, and takes it later", async () => {
    let finish = () => {};
    const waiting = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const slow: Route<never> = {
      method: "POST",
      path: "/slow",
      take: async () => {
        await waiting;
        return { status: 200, body: "done" };
      },
    };
    const { url } = await start(
      { generic: [] },
      { routes: [counting, slow], environment: { CONNECTOR_BYTES_IN_HAND: "1500", CONNECTOR_REQUESTS_IN_HAND: "2" } },
    );
    const first = post(`${url("generic")}/slow`, "x".repeat(1000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const full = await post(`${url("generic")}/things`, "x".repeat(1000));
    expect(full).toMatchObject({ status: 503, code: "TRIB_RECEPTION_BUSY" });
    expect(Number(full.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await post(`${url("generic")}/things`, "x")).toMatchObject({ status: 200 });
    const second = post(`${url("generic")}/slow`, "");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await post(`${url("generic")}/things`, "x")).toMatchObject({ status: 503 });
    finish();
    expect([await first, await second]).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(await post(`${url("generic")}/things`, "x".repeat(1000))).toMatchObject({ status: 200 });
  });

  it("ends a request that takes too long to arrive, by the time that is set", async () => {
    const { url } = await start({ generic: [] }, { routes, environment: { CONNECTOR_REQUEST_SECONDS: "1" } });
    const { hostname, port } = new URL(url("generic"));
    const began = performance.now();
    const answers = ["things", "streams"].map((path) => {
      const socket = connect(Number(port), hostname);
      socket.write(`POST /partners/generic/${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
      let answer = "";
      socket.on("data", (data) => {
        answer += data.toString();
      });
      return new Promise<string>((resolve) => socket.once("close", () => resolve(answer)));
    });
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 (408|400)/);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await post(`${url("generic")}/things`, "fine")).toMatchObject({ status: 200 });
  });

  it("does not wait for a sender that stalls, when it closes", async () => {
    const bench = await start({ generic: [] }, { routes });
    const { hostname, port } = new URL(bench.url("generic"));
    const socket = connect(Number(port), hostname);
    socket.write("POST /partners/generic/things HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString();
    });
    const ended = new Promise((resolve) => socket.once("close", resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    await benches.pop()?.close();
    await ended;
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(answer).toContain("503");
  });

  it("tells nothing of what was sent", async () => {
    const { url } = await start(
      { generic: [] },
      { routes: [{ ...counting, take: async (_r, body) => JSON.parse(body.toString()) }] },
    );
    const { status, text } = await post(`${url("generic")}/things`, '{"name": Jane Doe}');
    expect([status, text]).toEqual([503, expect.not.stringContaining("Jane")]);
    expect((await post(`${url("generic")}/elsewhere/Doe`, "x")).text).not.toContain("Doe");
  });
});
