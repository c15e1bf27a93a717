import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { prepareInstallation } from "../engine/service/prepare.js";
import { registered } from "../engine/service/registration.js";
import { repositoryRoot } from "../engine/service/root.js";
import { readSettings } from "../engine/service/settings.js";
import { makePlace, type TestPlace } from "./installation.js";

const names = ["publisher", "x12"];
let place: TestPlace;
const supervisors: ChildProcess[] = [];

beforeAll(async () => {
  place = await makePlace({ TOPIC_PARTITIONS: "1" });
  await prepareInstallation({ settings: readSettings(place.environment), environment: place.environment }, () => {});
});
afterAll(async () => {
  for (const supervisor of supervisors) supervisor.kill("SIGKILL");
  for (const { pid } of registered(place.home)) process.kill(pid, "SIGKILL");
  await place?.remove();
});

function run(): ChildProcess {
  const supervisor = spawn(process.execPath, [join(repositoryRoot, "bin/tributary.mjs"), "run", ...names], {
    env: place.environment,
    cwd: repositoryRoot,
    stdio: "ignore",
  });
  supervisors.push(supervisor);
  return supervisor;
}

const pidOf = (name: string) => registered(place.home).find((process) => process.name === name)?.pid;
const until = (check: () => boolean) => expect.poll(check, { timeout: 30_000 }).toBe(true);

it("a supervisor that is killed leaves its processes at work, and the next one takes them over", async () => {
  const first = run();
  await until(() => names.every((name) => pidOf(name) !== undefined));
  const before = names.map(pidOf);
  first.kill("SIGKILL");
  await once(first, "exit");
  expect(names.map(pidOf)).toEqual(before);

  const second = run();
  await until(() => registered(place.home).some(({ pid }) => pid === second.pid));
  const [publisher] = before;
  process.kill(publisher as number, "SIGKILL");
  await until(() => pidOf("publisher") !== undefined && pidOf("publisher") !== publisher);
  // What was well is left alone, though it is another's child.
  expect(pidOf("x12")).toBe(before[1]);

  // One that ends beside another ends only what it started itself.
  const watched = names.map(pidOf);
  const beside = run();
  await until(() => registered(place.home).some(({ pid }) => pid === beside.pid));
  beside.kill("SIGTERM");
  expect(await once(beside, "exit")).toEqual([0, null]);
  expect(names.map(pidOf)).toEqual(watched);

  second.kill("SIGTERM");
  const [exitCode] = await once(second, "exit");
  expect(exitCode).toBe(0);
  expect(registered(place.home)).toEqual([]);
});
