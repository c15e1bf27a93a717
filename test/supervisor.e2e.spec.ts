import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLogger } from "../engine/service/logger.js";
import { prepareInstallation } from "../engine/service/prepare.js";
import { registered } from "../engine/service/registration.js";
import { repositoryRoot } from "../engine/service/root.js";
import { readSettings } from "../engine/service/settings.js";
import { askToStart } from "../engine/service/start-requests.js";
import { startSupervisor } from "../engine/service/supervisor.js";
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

  // Who runs is told at once, also while Kafka can't be asked how far they are.
  const status = spawn(process.execPath, [join(repositoryRoot, "bin/tributary.mjs"), "status"], {
    env: { ...place.environment, KAFKA_BROKERS: "127.0.0.1:9" },
    cwd: repositoryRoot,
  });
  let told = "";
  status.stdout.on("data", (chunk) => {
    told += String(chunk);
  });
  await until(() => /^x12 +connector +\d+ +running +true/m.test(told));
  status.kill();

  second.kill("SIGTERM");
  const [exitCode] = await once(second, "exit");
  expect(exitCode).toBe(0);
  expect(registered(place.home)).toEqual([]);
});

it("ends, and all it started with it, when the npm that started it is gone", async () => {
  // As `npx` does: a shell between, which a signal ends without a word to whom it waits for.
  const command = `"${process.execPath}" bin/tributary.mjs run ${names.join(" ")}; true`;
  const environment = { ...place.environment, npm_command: "exec" };
  const shell = spawn("sh", ["-c", command], { env: environment, cwd: repositoryRoot, stdio: "ignore" });
  supervisors.push(shell);
  await until(() => names.every((name) => pidOf(name) !== undefined));
  shell.kill("SIGTERM");
  await until(() => registered(place.home).length === 0);
});

it("says why a process ended and where its log is, and starts at once what it is asked for", async () => {
  const lines: string[] = [];
  const logger = createLogger("run", "warn", { write: (line) => void lines.push(line) });
  const started: number[] = [];
  const supervisor = startSupervisor({
    ...{ home: place.home, logger, firstPauseMilliseconds: 60_000 },
    onStarted: ({ pid }) => void started.push(pid),
  });
  supervisor.add({ name: "nothing", kind: "connector", environment: { ...place.environment } });
  await until(() => lines.length === 1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    ...{ process: "nothing", exitCode: 64, location: join(place.home, "logs", "nothing.log") },
    reason: expect.stringMatching(/^TRIB_SERVICE_NOT_FOUND: There is no folder producers\/nothing/),
  });
  askToStart(place.home, "nothing");
  await until(() => started.length === 2 && lines.length === 2);
  await supervisor.stop();
});
