import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import Fastify, { type FastifyInstance } from "fastify";
import { jwtVerify } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TributaryError } from "../../engine/service/errors.js";
import { type Puller, startPulling } from "./pull.js";
import { testDesk } from "./testing/desk.js";

let server: FastifyInstance;
let inbox: string;
let puller: Puller | undefined;
beforeEach(() => {
  server = Fastify();
  inbox = mkdtempSync(join(tmpdir(), "tributary-pull-"));
});
afterEach(async () => {
  await puller?.close();
  await server.close();
  rmSync(inbox, { recursive: true, force: true });
});

/** On a machine that does much else too. */
const until = (check: () => void) => vi.waitFor(check, 5_000);

const patient = (id: string, second: number) => ({
  resourceType: "Patient",
  id,
  meta: { lastUpdated: `2026-03-01T10:00:0${second}Z` },
  gender: "female",
});

const tokenOf = (name: string) => `token-of-${name}`;

async function pulling(pull: object, credentials = tokenOf, answerWithin = 2_000) {
  const base = await server.listen({ port: 0, host: "127.0.0.1" });
  const test = testDesk({ pull: { base, everySeconds: 0.05, overlapSeconds: 0, types: ["Patient"], ...pull } });
  const limits = { lineLimit: 1_000_000, pageLimit: 1_000_000, answerWithin, pauses: [50, 300_000] as const };
  const start = () => {
    puller = startPulling(test.desk, { inbox, logger: pino({ level: "silent" }), credentials, ...limits });
  };
  return {
    ...test,
    start,
    ids: () =>
      test.intake.units.flatMap(({ events }) =>
        events.map(({ sealed }) => (sealed as { identifierValues: string[] }).identifierValues[0]),
      ),
  };
}

const page = (resources: object[], next?: string) => ({
  resourceType: "Bundle",
  type: "searchset",
  ...(next && { link: [{ relation: "next", url: next }] }),
  entry: resources.map((resource) => ({ resource })),
});

it("reads what changed since the cursor, page by page, with its token, and goes on from there after a restart", async () => {
  const asked: (string | undefined)[] = [];
  server.get("/Patient", (request) => {
    const { _lastUpdated: since, page: more } = request.query as Record<string, string>;
    expect(request.headers.authorization).toBe("Bearer token-of-lake");
    asked.push(since ?? more);
    if (more) return page([patient("c", 3)]);
    return since ? page([patient("c", 3)]) : page([patient("a", 1), patient("b", 2)], "/Patient?page=2");
  });
  const { start, ids } = await pulling({ token: "lake" });
  start();
  await until(() => expect(asked).toContain("ge2026-03-01T10:00:03Z"));
  await puller?.close();
  expect(ids().slice(0, 3)).toEqual(["a", "b", "c"]);
  asked.length = 0;
  start();
  await until(() => expect(asked[0]).toBe("ge2026-03-01T10:00:03Z"));
});

it("asks at once when it is told that something changed, and goes on by its own time", async () => {
  let asked = 0;
  server.get("/Patient", () => {
    asked += 1;
    return page([patient("a", 1)]);
  });
  const { start } = await pulling({ everySeconds: 3_600 });
  start();
  await until(() => expect(asked).toBe(1));
  expect(puller?.wake("generic")).toBe(true);
  await until(() => expect(asked).toBe(2));
  expect(puller?.wake("another")).toBe(false);
});

it("does not move the cursor over what the journal does not have", async () => {
  server.get("/Patient", () => page([patient("a", 1)]));
  const { start, intake } = await pulling({});
  intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
  const cursor = () => readFileSync(join(inbox, "generic/cursor.json"), "utf8");
  start();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(cursor).toThrow();
  intake.beforeSubmit = async () => {};
  await until(() => expect(cursor()).toContain("10:00:01"));
});

it("takes no page of another server, where its token would go", async () => {
  let others = 0;
  const other = Fastify();
  other.get("/steal", () => {
    others += 1;
    return page([]);
  });
  const elsewhere = await other.listen({ port: 0, host: "127.0.0.1" });
  let asked = 0;
  server.get("/Patient", () => {
    asked += 1;
    return page([patient("a", 1)], `${elsewhere}/steal`);
  });
  const { start } = await pulling({ token: "lake" });
  start();
  await until(() => expect(asked).toBeGreaterThan(1));
  expect(others).toBe(0);
  await other.close();
});

it("proves itself by an assertion, keeps the token while it is taken, and gets another", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const [assertions, shown]: [string[], string[]] = [[], []];
  let taken = "t1";
  server.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) =>
    done(null, body),
  );
  server.get("/.well-known/smart-configuration", (request) => ({ token_endpoint: `http://${request.host}/token` }));
  server.post("/token", async (request, reply) => {
    const form = new URLSearchParams(request.body as string);
    const audience = `http://${request.host}/token`;
    const claims = { audience, issuer: "us", subject: "us", requiredClaims: ["jti", "exp"] };
    const { payload } = await jwtVerify(form.get("client_assertion") ?? "", publicKey, claims);
    assertions.push(String(payload.jti));
    expect([form.get("grant_type"), form.get("scope")]).toEqual(["client_credentials", "system/Patient.rs"]);
    return reply.send({ access_token: `t${assertions.length}`, token_type: "bearer", expires_in: 300 });
  });
  server.get("/Patient", (request, reply) => {
    const [, token = ""] = (request.headers.authorization ?? "").split(" ");
    shown.push(token);
    return token === taken ? page([patient("a", 1)]) : reply.code(401).send();
  });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const { start, intake } = await pulling(
    { client: { id: "us", key: "pull.pem", scope: "system/Patient.rs" } },
    () => key,
  );
  start();
  await until(() => expect(shown.filter((token) => token === "t1").length).toBeGreaterThan(1));
  taken = "t2";
  await until(() => expect(shown).toContain("t2"));
  expect([assertions.length, new Set(assertions).size]).toEqual([2, 2]);
  expect(intake.units.length).toBeGreaterThan(0);
});

describe("a bulk export", () => {
  const lines = (...patients: object[]) => patients.map((one) => `${JSON.stringify(one)}\n`).join("");
  const cursor = () => JSON.parse(readFileSync(join(inbox, "generic/cursor.json"), "utf8"));
  const manifest = (urls: string[], more: object = {}) => ({
    transactionTime: "2026-03-02T00:00:00Z",
    output: urls.map((url) => ({ type: "Patient", url })),
    ...more,
  });
  /** A server that makes exports; says what it was asked since when, and what was dismissed. */
  function exporting() {
    const [since, dismissed]: [(string | undefined)[], string[]] = [[], []];
    server.get("/$export", (request, reply) => {
      since.push((request.query as Record<string, string>)._since);
      return reply.code(202).header("content-location", `/status/${since.length}`).send();
    });
    server.delete("/status/:id", (request, reply) => {
      dismissed.push((request.params as { id: string }).id);
      return reply.code(202).send();
    });
    return { since, dismissed };
  }

  it("is asked for, waited for as the server says, read file by file, and next time since then", async () => {
    const { since, dismissed } = exporting();
    const waits = [
      [202, "0.05"],
      [429, "0"],
      [503, new Date().toUTCString()],
    ] as const;
    let asked = 0;
    server.get("/status/:id", (_request, reply) => {
      const [status, after] = waits[asked++] ?? [];
      return status === undefined ? manifest(["/files/1"]) : reply.code(status).header("retry-after", after).send();
    });
    server.get("/files/1", (_request, reply) =>
      reply.type("application/fhir+ndjson").send(lines(patient("a", 1), patient("b", 2))),
    );
    const { start, ids } = await pulling({ by: "export" });
    start();
    await until(() => expect(since).toContain("2026-03-02T00:00:00Z"));
    await until(() => expect(dismissed).toContain("1"));
    expect(since[0]).toBeUndefined();
    expect(asked).toBeGreaterThan(waits.length);
    expect(ids().slice(0, 2)).toEqual(["a", "b"]);
  });

  it("is followed over a restart, and no file that the journal has is read again", async () => {
    const { since } = exporting();
    let ready = false;
    const read: string[] = [];
    server.get("/status/:id", () => manifest(["/files/1", "/files/2"]));
    server.get("/files/:id", (request, reply) => {
      const { id } = request.params as { id: string };
      read.push(id);
      if (id === "2" && !ready) return reply.code(500).send();
      return reply.type("application/fhir+ndjson").send(lines(patient(`p${id}`, 1)));
    });
    const { start, ids } = await pulling({ by: "export", everySeconds: 60 });
    start();
    await until(() => expect(cursor()).toMatchObject({ running: { status: expect.any(String), files: 1 } }));
    await until(() => expect(read).toEqual(["1", "2"]));
    await puller?.close();
    ready = true;
    start();
    await until(() => expect(cursor()).toEqual({ updated: {}, exported: "2026-03-02T00:00:00Z" }));
    expect([since.length, ids()]).toEqual([1, ["p1", "p2"]]);
    expect(read).toEqual(["1", "2", "2"]);
  });

  it("that is over is begun anew, from where the last whole one ended", async () => {
    const { since } = exporting();
    server.get("/status/:id", () => manifest([`/files/${since.length}`]));
    server.get("/files/:id", (request, reply) => {
      if ((request.params as { id: string }).id === "1") return reply.code(410).send();
      return reply.type("application/fhir+ndjson").send(lines(patient("a", 1)));
    });
    const { start, ids } = await pulling({ by: "export" });
    start();
    await until(() => expect(cursor()).toMatchObject({ exported: "2026-03-02T00:00:00Z" }));
    expect([since.slice(0, 2), ids()[0]]).toEqual([[undefined, undefined], "a"]);
  });

  it("may have its files in a store elsewhere, which never sees the token, and take longer than an answer may", async () => {
    exporting();
    const shown: (string | undefined)[] = [];
    const store = Fastify();
    store.get("/file", (request, reply) => {
      shown.push(request.headers.authorization);
      const parts = [lines(patient("a", 1)), lines(patient("b", 2))];
      return reply.type("application/fhir+ndjson").send(
        Readable.from(
          (async function* () {
            yield parts[0];
            await new Promise((resolve) => setTimeout(resolve, 250));
            yield parts[1];
          })(),
        ),
      );
    });
    const elsewhere = await store.listen({ port: 0, host: "127.0.0.1" });
    let anywhere = false;
    server.get("/status/:id", () => manifest([`${elsewhere}/file`], { requiresAccessToken: !anywhere }));
    const { start, ids } = await pulling({ by: "export", token: "lake", everySeconds: 0.05 }, tokenOf, 200);
    start();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(shown).toEqual([]);
    anywhere = true;
    await until(() => expect(ids()).toEqual(expect.arrayContaining(["a", "b"])));
    expect(new Set(shown)).toEqual(new Set([undefined]));
    await puller?.close();
    await store.close();
  });
});
