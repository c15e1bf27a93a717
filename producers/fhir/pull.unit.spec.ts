import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
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

const patient = (id: string, second: number) => ({
  resourceType: "Patient",
  id,
  meta: { lastUpdated: `2026-03-01T10:00:0${second}Z` },
  gender: "female",
});

async function pulling(pull: object) {
  const base = await server.listen({ port: 0, host: "127.0.0.1" });
  const test = testDesk({ pull: { base, everySeconds: 0.05, types: ["Patient"], ...pull } });
  const credentials = (name: string) => `token-of-${name}`;
  const limits = { lineLimit: 1_000_000, pageLimit: 1_000_000 };
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
  await vi.waitFor(() => expect(asked).toContain("ge2026-03-01T10:00:03Z"));
  await puller?.close();
  expect(ids().slice(0, 3)).toEqual(["a", "b", "c"]);
  asked.length = 0;
  start();
  await vi.waitFor(() => expect(asked[0]).toBe("ge2026-03-01T10:00:03Z"));
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
  await vi.waitFor(() => expect(cursor()).toContain("10:00:01"));
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
  await vi.waitFor(() => expect(asked).toBeGreaterThan(1));
  expect(others).toBe(0);
  await other.close();
});

it("runs a bulk export: asks, waits, takes every file, and asks next time since then", async () => {
  const since: (string | undefined)[] = [];
  let waits = 2;
  server.get("/$export", (request, reply) => {
    since.push((request.query as Record<string, string>)._since);
    return reply.code(202).header("content-location", "/status").send();
  });
  server.get("/status", (_request, reply) => {
    waits -= 1;
    if (waits > 0) return reply.code(202).header("retry-after", "0.05").send();
    const output = [{ type: "Patient", url: "/files/1" }];
    return { transactionTime: "2026-03-02T00:00:00Z", output };
  });
  server.get("/files/1", (_request, reply) =>
    reply
      .type("application/fhir+ndjson")
      .send(`${JSON.stringify(patient("a", 1))}\n${JSON.stringify(patient("b", 2))}\n`),
  );
  const { start, ids } = await pulling({ by: "export" });
  start();
  await vi.waitFor(() => expect(since).toContain("2026-03-02T00:00:00Z"), 5_000);
  expect(since[0]).toBeUndefined();
  expect(ids().slice(0, 2)).toEqual(["a", "b"]);
});
