import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metricDefinitions } from "../engine/service/metrics.js";
import { registered } from "../engine/service/registration.js";
import { repositoryRoot } from "../engine/service/root.js";
import { claim, claims837, heading837, interchange, subscriber } from "../producers/x12/testing/interchange.js";
import { tributary } from "./command.js";
import { makePlace, type TestPlace } from "./installation.js";
import { type Running, startCommand, untilReady } from "./running.js";

const connectors = ["cloudevents", "csv", "fhir", "hl7v2", "x12"];
const connectorsAndConsumers = [...connectors, "activity", "claims", "notary", "patients", "visits"];

/** One admission. Fields that a case changes have names. */
const admission = ({ id = "M1", trigger = "A01", number = "P1", visit = "V1", name = "Quill^Quentin" } = {}) =>
  `${[
    `MSH|^~\\&|LAB|CLINIC|HUB|HUB|20260110120000||ADT^${trigger}|${id}|P|2.5.1`,
    `EVN|${trigger}|20260110120000`,
    `PID|1||${number}^^^CLINIC^MR||${name}||19700203|F`,
    `PV1|1|I|W1^101^A||||||||||||||||${visit}^^^CLINIC^VN`,
  ].join("\r")}\r`;

const units = {
  first: admission(),
  resend: admission(),
  reused: admission({ visit: "V2" }),
  second: admission({ id: "M2", number: "P2", visit: "V3" }),
  refused: admission({ id: "M3", trigger: "A99" }),
};

let place: TestPlace;
const commands: Running[] = [];
const files: Record<string, string> = {};
const call = (...parameters: string[]) => tributary(place.environment, parameters);
const json = async <Value>(...parameters: string[]): Promise<Value> => {
  const { stdout, stderr, exitCode } = await call(...parameters, "--json");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout) as Value;
};
const jsonLines = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  place = await makePlace();
  const write = (name: string, content: string | Buffer) => {
    files[name] = join(place.home, name);
    writeFileSync(files[name], content);
  };
  write("good.hl7", units.first + units.resend + units.reused + units.second);
  write("mixed.hl7", units.second + units.refused);
  write("noise.hl7", "nothing that anybody could read as a message\n");
  write("claims.837", interchange([claims837(...heading837, ...subscriber, ...claim)]));
}, 60_000);

afterAll(async () => {
  for (const { child } of commands) child.kill("SIGTERM");
  await Promise.all(commands.map(({ ended }) => ended));
  await place.remove();
}, 60_000);

describe("before anything runs", () => {
  it("says what is wrong with the call, and exits 64", async () => {
    const { exitCode, stderr } = await call("fly");
    expect(exitCode).toBe(64);
    expect(stderr).toMatch(/unknown command 'fly'/);
    expect((await call("send", files["good.hl7"]!)).exitCode).toBe(64);
  });

  it("ends quietly when whoever reads goes away, as `| head -1` does", async () => {
    const many = join(place.home, "many.hl7");
    writeFileSync(many, units.first.repeat(3_000));
    const command = [join(repositoryRoot, "bin/tributary.mjs"), "validate", many, "--to", "hl7v2"];
    const child = spawn(process.execPath, command, { env: place.environment, stdio: ["ignore", "pipe", "pipe"] });
    let told = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      told += text;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const exitCode = await new Promise((resolve) => child.once("close", resolve));
    expect({ told, exitCode }).toEqual({ told: "", exitCode: 141 });
  });

  it("shows first steps in its help", async () => {
    const { exitCode, stdout } = await call("--help");
    expect(exitCode).toBe(0);
    for (const step of ["up", "run", "send FILE --to hl7v2", "projections await", "status"])
      expect(stdout).toContain(`  tributary ${step}`);
  });

  it("up prepares the services that settings name, and may be repeated", async () => {
    const first = await call("up");
    expect(first.stderr).toBe("");
    expect(first.exitCode).toBe(0);
    for (const step of ["migrations", "schemas", "topics", "read models"])
      expect(first.stdout).toContain(`prepared  ${step}`);
    expect(first.stdout).toMatch(/^postgres +postgres:\/\/\w+:…@\S+\n +the whole address is what DATABASE_URL says$/m);
    expect(first.stdout).not.toContain(new URL(place.databaseUrl).password);
    expect(await json("up")).toMatchObject({ mode: "settings", kafkaBrokers: place.environment.KAFKA_BROKERS });
  });

  it("migrate status, topics check and schemas check find nothing missing", async () => {
    const migrations = await json<{ name: string; applied: boolean }[]>("migrate", "status");
    expect(migrations.length).toBeGreaterThan(0);
    expect(migrations.filter(({ applied }) => !applied)).toEqual([]);
    expect(await json("topics", "check")).toEqual([]);
    expect(await json("schemas", "check")).toEqual([]);
  });

  it("config print shows every setting and its source, and no secret", async () => {
    const environment = {
      ...place.environment,
      KAFKA_SASL_PASSWORD: "hunter2-kafka",
      TRIBUTARY_SECRET: "ab".repeat(32),
    };
    const { exitCode, stdout } = await tributary(environment, ["config", "print"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^DATABASE_URL +postgres:\/\/\w+:…@/m);
    expect(stdout).toMatch(/^TOPIC_PARTITIONS +4 +environment/m);
    expect(stdout).toMatch(/^HL7V2_HOST +127.0.0.1 +default/m);
    for (const secret of ["hunter2-kafka", "ab".repeat(32), new URL(place.databaseUrl).password])
      expect(stdout).not.toContain(secret);
  });

  it("send says that the connector isn't running, and exits 1; a file that isn't there is told apart", async () => {
    const { exitCode, stderr } = await call("send", files["good.hl7"]!, "--to", "hl7v2");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/TRIB_CLI_NOT_RUNNING.*\n.*tributary run/);
    const nowhere = await call("send", files["good.hl7"]!, "--to", "hl7v2", "--url", "mllp://127.0.0.1:1");
    expect(nowhere.exitCode).toBe(1);
    const missing = await call("send", join(place.home, "missing.hl7"), "--to", "hl7v2");
    expect(missing.exitCode).toBe(66);
    expect(missing.stderr).toContain("TRIB_CLI_FILE_UNREADABLE");
  });
});

describe("while it runs without a publisher", () => {
  beforeAll(async () => {
    commands.push(startCommand(place.environment, ["run", ...connectorsAndConsumers]));
    await untilReady(place.home, connectorsAndConsumers);
  }, 90_000);

  it("doctor names the publisher and the remedy, and exits 2", async () => {
    const { exitCode, stdout } = await call("doctor");
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^WRONG +processes\n +Not running or not ready: publisher\. Start them with `tributary run`/m,
    );
    expect(stdout.match(/^WRONG/gm)).toHaveLength(1);
  });

  it("producers list and consumers list show what there is", async () => {
    const producers = await json<{ name: string; partners: string[]; addresses: string[] }[]>("producers", "list");
    expect(producers.map(({ name }) => name)).toEqual(connectors);
    for (const { partners } of producers) expect(partners).toContain("generic");
    expect(producers.find(({ name }) => name === "hl7v2")?.addresses[0]).toMatch(/^mllp:\/\/127\.0\.0\.1:\d+$/);
    const consumers = await json<{ name: string; projections: string[]; pids: number[] }[]>("consumers", "list");
    expect(consumers.map(({ name }) => name)).toEqual(["activity", "claims", "notary", "patients", "visits"]);
    for (const { pids } of consumers) expect(pids).toHaveLength(1);
  });

  it("consumers grants prints a role's rights, and none on another's tables", async () => {
    const { exitCode, stdout } = await call("consumers", "grants", "visits");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("tributary_visits");
    expect(stdout).toContain("health.visit.events");
    expect(stdout).not.toMatch(/health\.claim\.events|claims_/);
  });
});

describe("while everything runs", () => {
  beforeAll(async () => {
    commands.push(startCommand(place.environment, ["run", "publisher"]));
    await untilReady(place.home, [...connectorsAndConsumers, "publisher"]);
  }, 90_000);

  it("doctor finds nothing wrong, and exits 0", async () => {
    const { exitCode, stdout } = await call("doctor");
    expect(stdout).not.toContain("WRONG");
    expect(exitCode).toBe(0);
  });

  it("send tells each unit's answer, and exits 0 when all were accepted", async () => {
    const { exitCode, stdout } = await call("send", files["good.hl7"]!, "--to", "hl7v2", "--json");
    expect(exitCode).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines).toHaveLength(4);
    for (const [index, line] of lines.entries()) {
      expect(Object.keys(line)).toEqual(["file", "index", "controlId", "accepted", "code", "location", "answer", "ms"]);
      expect(line).toMatchObject({ file: files["good.hl7"], index, accepted: true, code: null, answer: "AA" });
    }
    expect(lines.map(({ controlId }) => controlId)).toEqual(["M1", "M1", "M1", "M2"]);
  });

  it("send exits 2 when a unit was rejected or none could be read, with code and place", async () => {
    const mixed = await call("send", files["mixed.hl7"]!, files["noise.hl7"]!, "--to", "hl7v2", "--json");
    expect(mixed.exitCode).toBe(2);
    const lines = jsonLines(mixed.stdout);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ index: 0, controlId: "M2", accepted: true, answer: "AA" });
    expect(lines[1]).toMatchObject({ index: 1, controlId: "M3", accepted: false, code: "201", answer: "AR" });
    expect(lines[1]?.location).toMatch(/^MSH-9/);
    expect(lines[2]).toMatchObject({ file: files["noise.hl7"], index: null, accepted: false });
    expect(Object.keys(lines[2]!)).toEqual(Object.keys(lines[0]!));
  });

  it("send speaks X12 too: a resent interchange is a duplicate", async () => {
    const first = await call("send", files["claims.837"]!, "--to", "x12", "--json");
    expect(first.exitCode).toBe(0);
    expect(jsonLines(first.stdout)).toMatchObject([{ index: 0, accepted: true, answer: "999:A" }]);
    const again = await call("send", files["claims.837"]!, "--to", "x12", "--json");
    expect(again.exitCode).toBe(2);
    expect(jsonLines(again.stdout)).toMatchObject([{ accepted: false, code: "DUPLICATE", answer: "TA1:R:025" }]);
  });

  it("projections await returns when all of it is applied", async () => {
    expect(await json("projections", "await")).toMatchObject({ parkedKeys: 0 });
  });

  it("intake status counts", async () => {
    const counts = await json<Record<string, number>>("intake", "status");
    // 4 + 2 HL7 v2 messages, two of them resends (M1 and M2 sent again); 2 claims; the file of noise is a unit too.
    expect(counts).toMatchObject({ accepted: 6, resends: 2, reusedIds: 1 });
    expect(counts.units).toBe((counts.accepted ?? 0) + (counts.rejected ?? 0));
    expect(counts.events).toBeGreaterThan(5);
  });

  it("intake list shows every unit with the hash of its exact bytes", async () => {
    const { exitCode, stdout } = await call("intake", "list", "--json");
    expect(exitCode).toBe(0);
    const listed = jsonLines(stdout);
    const wanted = [
      ...["partition", "offset", "partner", "unitSha256", "controlId", "accepted"],
      ...["code", "location", "resendOf", "events"],
    ];
    for (const entry of listed) for (const name of wanted) expect(entry).toHaveProperty(name);
    const hl7 = listed.filter(({ connector, controlId }) => connector === "hl7v2" && controlId !== null);
    expect(hl7).toHaveLength(6);
    const hash = (text: string) => createHash("sha256").update(text).digest("hex");
    const byHash = (text: string) => hl7.filter(({ unitSha256 }) => unitSha256 === hash(text));
    const [first, resend] = byHash(units.first);
    expect(first).toMatchObject({ partner: "generic", controlId: "M1", accepted: true, resendOf: null });
    expect(resend).toMatchObject({
      resendOf: { partition: first?.partition, offset: first?.offset },
      events: 0,
    });
    expect(first).toMatchObject({ reusedId: false, journalledAgain: false });
    expect(resend).toMatchObject({ reusedId: false, journalledAgain: false });
    expect(byHash(units.reused)).toMatchObject([{ controlId: "M1", accepted: true, resendOf: null, reusedId: true }]);
    expect(byHash(units.refused)).toMatchObject([{ controlId: "M3", accepted: false, code: "201", events: 0 }]);
    const rejected = jsonLines((await call("intake", "list", "--rejected", "--json")).stdout);
    expect(rejected.every(({ accepted }) => accepted === false)).toBe(true);
    // For people: when, which one, what became of it, and the beginning of its hash.
    const shown = (await call("intake", "list", "--connector", "hl7v2")).stdout.trim().split("\n");
    expect(shown).toHaveLength(7);
    const reused = shown.find((line) => line.includes(`sha256 ${hash(units.reused).slice(0, 12)}…`));
    expect(reused).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z {2}\d\/\d+ {2}generic {2}\S+ {2}M1 {2}accepted {2}\d events {2}reused id {2}/,
    );
    expect(shown.filter((line) => line.includes(`resend of ${first?.partition}/${first?.offset}`))).toHaveLength(1);
    const later = await call("intake", "list", "--connector", "hl7v2", "--since", String(Date.now() + 60_000));
    expect(later).toMatchObject({ exitCode: 0, stdout: "" });
  });

  it("events tail finds events, events show one of them; what is sealed stays sealed", async () => {
    const { exitCode, stdout } = await call("events", "tail", "--entity", "visit", "--last", "50", "--json");
    expect(exitCode).toBe(0);
    const events = jsonLines(stdout);
    const started = events.find(({ type }) => type === "VisitStarted");
    expect(started).toMatchObject({ topic: "health.visit.events", event: { facility: "CLINIC" } });
    const shown = await call("events", "show", `${started?.topic}/${started?.partition}/${started?.offset}`);
    expect(shown.exitCode).toBe(0);
    expect(JSON.parse(shown.stdout)).toEqual(started);
    expect(stdout).not.toMatch(/Quill|V1\b/);
    expect((await call("events", "show", "health.visit.events/0/999999")).exitCode).toBe(1);
  });

  it("projections list and verify: every build is current and equals the log", async () => {
    const builds = await json<Record<string, unknown>[]>("projections", "list");
    for (const build of builds)
      expect(build).toMatchObject({ build: 1, state: "current", lagEvents: 0, parkedKeys: 0 });
    for (const name of ["patients", "visits", "claims"]) {
      const verification = await json<{ rows: number; differing: number }>("projections", "verify", name);
      expect(verification).toMatchObject({ differing: 0 });
      expect(verification.rows).toBeGreaterThan(0);
    }
    expect((await call("projections", "verify", "nothing")).exitCode).toBe(64);
    expect((await call("projections", "drop", "nothing", "--yes")).exitCode).toBe(64);
  });

  it("parked list is empty, and parked show says so", async () => {
    expect(await json("parked", "list")).toEqual([]);
    const { exitCode, stderr } = await call("parked", "show", "visits", "health.visit.events/0/1");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("TRIB_CLI_NOT_FOUND");
  });

  it("status tells services, processes and builds in the promised form", async () => {
    const forPeople = await call("status");
    expect(forPeople.stdout).toMatch(/^postgres +postgres:\/\/\w+:…@\S+$/m);
    expect(forPeople.stdout).not.toContain(new URL(place.databaseUrl).password);
    const status = await json<{
      services: Record<string, unknown>;
      processes: { name: string; kind: string; addresses: Record<string, string>[]; admin: string }[];
      projections: Record<string, unknown>[];
    }>("status");
    expect(status.services).toEqual({
      kafka: { brokers: place.environment.KAFKA_BROKERS },
      registry: { url: place.environment.SCHEMA_REGISTRY_URL },
      postgres: { url: place.databaseUrl },
    });
    const working = status.processes.filter(({ kind }) => kind !== "supervisor");
    expect(working.map(({ name }) => name).sort()).toEqual([...connectorsAndConsumers, "publisher"].sort());
    for (const process of working) {
      expect(process).toMatchObject({ pid: expect.any(Number), state: "running", ready: true });
      expect(process.kind).toMatch(/^(connector|publisher|consumer)$/);
      expect(process.admin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    }
    const addresses = (name: string) => working.find((process) => process.name === name)?.addresses;
    expect(addresses("hl7v2")).toContainEqual({
      protocol: "mllp",
      url: expect.stringMatching(/^mllp:\/\/127\.0\.0\.1:\d+$/),
    });
    expect(addresses("x12")?.[0]).toMatchObject({ protocol: "http", url: expect.stringMatching(/^http:\/\//) });
    for (const projection of status.projections) {
      expect(Object.keys(projection).sort()).toEqual(
        ["name", "build", "schema", "state", "lagEvents", "lagSeconds", "parkedKeys", "leftOutRows"].sort(),
      );
    }
    expect(status.projections.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["patients", "visits", "claims"]),
    );
  });

  it("every process is live and ready, and its metrics have moved", async () => {
    const samples = new Map<string, number>();
    for (const { name, admin, kind } of registered(place.home)) {
      if (kind === "supervisor") continue;
      for (const path of ["livez", "readyz", "metrics"]) {
        const answer = await fetch(`${admin}/${path}`);
        expect(answer.status, `${name}/${path}`).toBe(200);
        if (path !== "metrics") continue;
        for (const line of (await answer.text()).split("\n")) {
          const [, metric, , value] = /^(tributary_\w+)(\{.*\})? (\S+)$/.exec(line) ?? [];
          if (metric) samples.set(metric, (samples.get(metric) ?? 0) + Number(value));
          if (line.startsWith("tributary_units_total{")) samples.set(line.replace(/ \S+$/, ""), Number(value));
        }
      }
      expect((await fetch(`${admin}/nothing`)).status).toBe(404);
    }
    const unitsOf = (verdict: string, code: string) =>
      samples.get(`tributary_units_total{connector="hl7v2",partner="generic",verdict="${verdict}",code="${code}"}`);
    expect(unitsOf("accepted", "")).toBe(5);
    expect(unitsOf("rejected", "201")).toBe(1);
    expect(samples.get("tributary_resends_total")).toBe(2);
    for (const [name, { type }] of Object.entries(metricDefinitions)) {
      // None of these consumers delivers.
      if (/^tributary_deliver(y|ies)_/.test(name)) continue;
      const sample = samples.get(type === "histogram" ? `${name}_count` : name);
      if (type === "gauge") expect(sample, name).toBe(0);
      else expect(sample, name).toBeGreaterThan(0);
    }
  });

  it("down ends every process, and exits 0", async () => {
    const { exitCode, stdout } = await call("down");
    expect(exitCode).toBe(0);
    for (const name of [...connectorsAndConsumers, "publisher"]) expect(stdout).toContain(`stopped   ${name}`);
    expect(await Promise.all(commands.map(({ ended }) => ended))).toEqual([0, 0]);
    expect(registered(place.home)).toEqual([]);
    expect((await call("down")).exitCode).toBe(0);
  });
});
