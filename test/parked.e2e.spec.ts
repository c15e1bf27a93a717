import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectorAddresses } from "../cli/demo/play.js";
import { playRegion } from "../demo/deliver.js";
import { generateRegion } from "../demo/region.js";
import type { Codec } from "../engine/log/codec.js";
import type { LogProducer } from "../engine/log/log.js";
import { formatPosition, positionHeader } from "../engine/log/position.js";
import { connectCodec } from "../engine/log/registry.js";
import { readJournalId } from "../engine/log/topics.js";
import { tributary } from "./command.js";
import { startInstallation, type TestInstallation } from "./installation.js";

const topic = "health.visit.events";
const region = generateRegion({ seed: "parked", patients: 40 });

let installation: TestInstallation;
let codec: Codec;
let producer: LogProducer;
let journal: string;
/** Beyond every journal offset there is: whoever publishes here is the last. */
let journalOffset = 1_000_000;

type Visit = Readonly<Record<string, unknown>>;
const visits = async () => {
  const rows = await installation.query("SELECT * FROM projections_restricted.visits ORDER BY visit_id");
  return new Map(rows.map((row): [string, Visit] => [String(row.visit_id), row]));
};
const moved = (key: string, location: string) => {
  const time = Date.UTC(2026, 5, 1) + journalOffset;
  const meta = { id: `e2e-${journalOffset}`, source: "spec", time, subject: key, connector: "spec" };
  return codec.encodeEvent("VisitTransferred", { meta, facility: "NORTH", authority: "NORTH", location });
};
/** Appends a record as the publisher would: with its position. */
const publish = async (key: string, value: Buffer) => {
  const position = { journal, partition: 0, offset: ++journalOffset, index: 0, recordedAt: Date.now() };
  const [appended] = await producer.append([
    { topic, key, value, headers: { [positionHeader]: formatPosition(position) } },
  ]);
  return `${appended?.topic}/${appended?.partition}/${appended?.offset}`;
};
const json = async (...parameters: string[]) => {
  const { exitCode, stdout } = await tributary(installation.environment, [...parameters, "--json"]);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as unknown;
};

beforeAll(async () => {
  installation = await startInstallation({ names: ["hl7v2", "x12", "publisher", "patients", "visits"] });
  await installation.untilReady();
  await playRegion(region, { addresses: connectorAddresses(installation.home) });
  await installation.applied();
  codec = await connectCodec(installation.settings);
  journal = await readJournalId(installation.log);
  producer = await installation.log.producer();
}, 120_000);
afterAll(() => installation.stop());

describe("an event that can't be applied", () => {
  it("holds back its own key and nothing else, also over a restart", async () => {
    const before = await visits();
    const started = [...before].filter(([, { status }]) => status === "in_progress").map(([key]) => key);
    const [broken = "", refused = "", ...others] = started;
    expect(others.length).toBeGreaterThan(3);

    const header = moved(broken, "LOST^1^1").subarray(0, 5);
    const places = [await publish(broken, Buffer.concat([header, Buffer.from([0xff, 0xff, 0x01])]))];
    await publish(broken, moved(broken, "AFTER^1^1"));
    // Valid Avro, which Postgres has no text for.
    places.push(await publish(refused, moved(refused, "NUL\u0000^1^1")));
    await publish(refused, moved(refused, "AFTER^2^2"));
    await publish(broken, moved(broken, "AFTER^3^3"));
    await publish(refused, moved(refused, "AFTER^4^4"));
    for (const key of others) await publish(key, moved(key, "NEXT^1^1"));
    expect(await installation.applied()).toEqual({ parkedKeys: 2 });

    const expected = (location: string) =>
      new Map([...before].map(([key, row]) => [key, { ...row, ...(others.includes(key) ? { location } : {}) }]));
    /** Columns that tell of the last event, not of the visit. */
    const content = (rows: ReadonlyMap<string, Visit>) =>
      [...rows].map(([key, { location, status, ended_at }]) => ({ key, location, status, ended_at }));
    expect(content(await visits())).toEqual(content(expected("NEXT^1^1")));
    for (const key of [broken, refused]) expect((await visits()).get(key)).toEqual(before.get(key));

    const parked = (await json("parked", "list")) as Record<string, unknown>[];
    expect(parked.map(({ key }) => key).sort()).toEqual([broken, refused].sort());
    const byKey = (key: string) => parked.find((row) => row.key === key);
    expect(byKey(broken)).toMatchObject({ projection: "visits", topic, code: "TRIB_PROJECT_EVENT_UNDECODABLE" });
    expect(parked.map((row) => `${row.topic}/${row.partition}/${row.offset}`).sort()).toEqual(places.sort());
    expect(await json("parked", "show", "visits", places[0] ?? "")).toMatchObject({ projection: "visits" });

    const pid = installation.process("visits")?.pid ?? 0;
    process.kill(pid, "SIGTERM");
    await expect.poll(() => installation.process("visits")?.pid ?? pid, { timeout: 30_000 }).not.toBe(pid);
    await installation.untilReady();
    for (const key of [broken, refused, ...others]) await publish(key, moved(key, "LAST^9^9"));
    expect(await installation.applied()).toEqual({ parkedKeys: 2 });
    expect(content(await visits())).toEqual(content(expected("LAST^9^9")));
    expect(await json("parked", "list")).toEqual(parked);

    // Folded anew from the whole log, the same rows and the same parked keys.
    expect(await json("projections", "verify", "visits")).toMatchObject({ differing: 0 });
    const { admin } = installation.process("visits") ?? {};
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    const held = [...metrics.matchAll(/^tributary_parked_keys\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
    expect(held.reduce((sum, count) => sum + count, 0)).toBe(2);
    const doctor = await tributary(installation.environment, ["doctor"]);
    expect(doctor.exitCode).toBe(2);
    expect(doctor.stdout).toContain("2 keys are held back");
  }, 120_000);

  it("is retried in vain, then skipped for a reason, and what waited behind it comes in order", async () => {
    const parked = (await json("parked", "list")) as {
      topic: string;
      partition: number;
      offset: number;
      key: string;
      code: string;
    }[];
    expect(parked).toHaveLength(2);
    for (const { topic: of, partition, offset } of parked) {
      const place = ["visits", `${of}/${partition}/${offset}`];
      const retried = await tributary(installation.environment, ["parked", "retry", ...place, "--json"]);
      expect(retried.exitCode).toBe(2);
      expect(JSON.parse(retried.stdout)).toMatchObject([{ place: place[1], state: "done", parkedAgain: true }]);
      const unasked = await tributary(installation.environment, ["parked", "skip", ...place, "--reason", "cut off"]);
      expect([unasked.exitCode, unasked.stdout]).toEqual([64, ""]);
      const withoutReason = await tributary(installation.environment, ["parked", "skip", ...place, "--yes"]);
      expect(withoutReason.exitCode).not.toBe(0);
      expect(await json("parked", "skip", ...place, "--reason", "cut off", "--yes")).toMatchObject([
        { place: place[1], action: "skip", state: "done", parkedAgain: false },
      ]);
      const again = await tributary(installation.environment, ["parked", "retry", ...place]);
      expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining("TRIB_CLI_NOT_FOUND")]);
      const handled = ["parked", "park", ...place, "--reason", "too late", "--yes"];
      expect((await tributary(installation.environment, handled)).exitCode).toBe(1);
    }
    // Whoever looks later is told who decided that, and why: also of what nobody can read.
    const { key, topic: of, partition, offset } = parked.find(({ code }) => code.endsWith("UNDECODABLE")) ?? parked[0]!;
    const place = `${of}/${partition}/${offset}`;
    const shown = (await json("parked", "show", "visits", place)) as { decisions: object[] };
    expect(shown).toMatchObject({ state: "done", parkedAt: expect.stringMatching(/Z$/) });
    const skipped = { action: "skip", reason: "cut off", state: "done", requestedAt: expect.stringMatching(/Z$/) };
    expect(shown.decisions).toContainEqual(expect.objectContaining(skipped));
    const { stdout } = await tributary(installation.environment, ["audit", "trail", "visit", key]);
    expect(stdout).toMatch(new RegExp(`${key} at ${place}: SKIPPED in visits by \\S+ at \\S+Z: cut off`));
    expect(await json("parked", "list")).toEqual([]);
    const moved = [...(await visits())].filter(([, { location }]) => location === "LAST^9^9");
    expect(moved.length).toBeGreaterThan(5);
    expect(await json("projections", "verify", "visits")).toMatchObject({ differing: 0 });
  }, 120_000);

  it("is the same in a build made anew, which takes the place of the one before and gives it back", async () => {
    for (const name of ["visits", "patients"]) {
      const rebuilt = await json("projections", "rebuild", name);
      expect(rebuilt).toMatchObject({ name, build: 2, swapped: true, compared: { differences: [], parkedKeys: 0 } });
      expect(await json("projections", "verify", name)).toMatchObject({ differing: 0 });
    }
    const builds = (await json("projections", "list")) as { name: string; build: number; state: string }[];
    expect(builds.map(({ name, build, state }) => `${name} ${build} ${state}`)).toEqual(
      expect.arrayContaining(["visits 1 previous", "visits 2 current", "patients 1 previous", "patients 2 current"]),
    );
    const after = await visits();
    const call = (...parameters: string[]) => tributary(installation.environment, ["projections", ...parameters]);
    expect(await call("rollback", "visits", "--reason", "put back")).toMatchObject({
      exitCode: 0,
      stdout: "build 1 of visits is current\n",
    });
    expect(await visits()).toEqual(after);
    expect(await call("drop", "visits")).toMatchObject({ exitCode: 64 });
    expect(await call("drop", "visits", "--yes")).toMatchObject({
      exitCode: 0,
      stdout: "build 2 of visits is dropped\n",
    });
    expect(await call("rollback", "visits")).toMatchObject({ exitCode: 1 });
    const recorded = await tributary(installation.environment, ["audit", "access", "--json"]);
    expect(recorded.stdout).toMatch(/"how":"projections rollback","what":"projection visits"[^\n]*"reason":"put back"/);
    expect(recorded.stdout).toMatch(/"how":"projections drop","what":"projection visits"/);
    const waiting = await call("rebuild", "visits", "--no-swap", "--rate", "100000", "--connections", "1");
    expect([waiting.exitCode, waiting.stdout]).toEqual([0, expect.stringContaining("build 3 of visits is ready")]);
    expect(waiting.stderr).toMatch(/fill .* 100 % .* events\/s/);
    expect(await call("swap", "visits")).toMatchObject({ exitCode: 0, stdout: "build 3 of visits is current\n" });
    expect(await visits()).toEqual(after);
    // As a checkout of a lower version sees it: what it can't do it leaves, and says what to do.
    await installation.query("UPDATE engine.builds SET version = 99 WHERE projection = 'visits'");
    const [back, verified] = [await call("rollback", "visits"), await call("verify", "visits")];
    expect([back.exitCode, back.stderr]).toEqual([
      1,
      expect.stringMatching(/version 99\b[\s\S]*from a checkout of it/),
    ]);
    expect([verified.exitCode, verified.stderr]).toEqual([1, expect.stringContaining("is of version 99")]);
    expect(await visits()).toEqual(after);
  }, 120_000);

  it("and all that went before left nothing personal in any log", () => {
    const folder = join(installation.home, "logs");
    const logs = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
    const text = logs.join("\n");
    expect(text).toContain("its key is parked");
    const { patients, patientIdentifiers, visits: told } = region.truth();
    const personal = new Set<string>();
    for (const { familyName, givenNames, birthDate } of patients) {
      for (const name of [familyName, ...(givenNames ?? "").split(" ")])
        if (name && name.length > 2) personal.add(name);
      if (birthDate) personal.add(birthDate).add(birthDate.replaceAll("-", ""));
    }
    for (const { value } of patientIdentifiers) personal.add(value);
    for (const { visit } of told) personal.add(visit.split("|")[1] ?? "");
    expect(personal.size).toBeGreaterThan(200);
    const words = new Set(text.split(/[^\p{L}\p{N}-]+/u));
    expect([...personal].filter((value) => words.has(value))).toEqual([]);
  });
});
