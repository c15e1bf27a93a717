import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { givenServices } from "./given.js";
import { freePorts, isFree, listens } from "./ports.js";
import { ensureSecrets, keepDatabaseUrl, readSecret } from "./secrets.js";
import { findStack, startStack, stopStack } from "./stack.js";
import { readState, writeState } from "./state.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tributary-home-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const named = {
  KAFKA_BROKERS: "kafka-1:9092,kafka-2:9092",
  SCHEMA_REGISTRY_URL: "http://registry:8080/apis/ccompat/v7",
  DATABASE_URL: "postgres://somebody:secret@db:5432/warehouse",
};

describe("the state of a stack", () => {
  it("is read as it was written", async () => {
    const state = { format: 1, mode: "local", ports: await freePorts(), clusterId: "q1Sh-9_ISia_zwGINzRvyQ" } as const;
    expect(readState(home)).toBeUndefined();
    writeState(home, state);
    expect(readState(home)).toEqual(state);
    expect(readdirSync(home)).toEqual(["stack.json"]);
  });

  it("is refused by name when it is none", () => {
    writeFileSync(join(home, "stack.json"), '{"format":1,"ports":{');
    expect(() => readState(home)).toThrow(expect.objectContaining({ code: "TRIB_STACK_STATE_UNREADABLE" }));
    expect(() => readState(home)).toThrow(home);
  });

  it("has four different ports that nobody listens on", async () => {
    const ports = Object.values(await freePorts());
    expect(new Set(ports).size).toBe(4);
    for (const port of ports) {
      expect(await isFree(port)).toBe(true);
      expect(await listens(port)).toBe(false);
      // None that an outgoing connection may get.
      expect(port).toBeLessThan(32_768);
    }
  });
});

describe("the secrets of a stack", () => {
  it("are made once, 64 hexadecimal digits each, for their owner alone", () => {
    const files = Object.values(ensureSecrets(home));
    const contents = files.map(readSecret);
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
    for (const content of contents) expect(content).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(contents).size).toBe(4);
    expect(Object.values(ensureSecrets(home)).map((file) => readFileSync(file, "utf8").trim())).toEqual(contents);
    expect(readdirSync(join(home, "secrets")).sort()).toEqual(["kek.hex", "notary.hex", "postgres.hex", "secret.hex"]);
  });

  it("have the database's whole address beside them, as it is now, for its owner alone", () => {
    ensureSecrets(home);
    for (const url of ["postgres://a:secret@127.0.0.1:5432/a", "postgres://a:other@127.0.0.1:5433/a"]) {
      const file = keepDatabaseUrl(home, url);
      expect(readSecret(file)).toBe(url);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });
});

describe("services that settings name", () => {
  it("are used as they are, and are neither started nor stopped", async () => {
    const services = await startStack({ home, environment: named, report: () => expect.fail("nothing to report") });
    expect(services).toMatchObject({
      mode: "settings",
      kafkaBrokers: named.KAFKA_BROKERS,
      registryUrl: named.SCHEMA_REGISTRY_URL,
      databaseUrl: named.DATABASE_URL,
    });
    expect(readSecret(services.kekFile)).toMatch(/^[0-9a-f]{64}$/);
    expect(await findStack(home, named)).toEqual(services);
    await stopStack(home, { environment: named });
    expect(readdirSync(home)).toEqual(["secrets"]);
  });

  it("must be named all or none", () => {
    expect(givenServices(home, {})).toBeUndefined();
    const { DATABASE_URL: _, ...two } = named;
    expect(() => givenServices(home, two)).toThrow(
      expect.objectContaining({
        code: "TRIB_STACK_SETTINGS_PARTIAL",
        message: "Set: KAFKA_BROKERS, SCHEMA_REGISTRY_URL. Not set: DATABASE_URL.",
      }),
    );
    expect(givenServices(home, { ...two, PGHOST: "db" })?.databaseUrl).toBe("postgres://postgres@db:5432/postgres");
  });

  it("need their secrets in production", () => {
    const production = { ...named, TRIBUTARY_ENV: "production" };
    expect(() => givenServices(home, production)).toThrow(/TRIBUTARY_SECRET, TRIBUTARY_KEK, TRIBUTARY_NOTARY_KEY/);
    expect(readdirSync(home)).toEqual([]);
  });
});
