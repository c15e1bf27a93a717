import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { repositoryRoot } from "../service/root.js";
import { recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { poisoned, poisonTopic } from "../testing/poison.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { listParked } from "./parked.js";
import { requestDecisions } from "./requests.js";

let database: FreshDatabase;
let kills = 0;
const started: ChildProcess[] = [];
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await database?.drop();
  recordChaos({
    guarantee: "A fold over its budget ends the process and parks nothing",
    spec: "engine/projector/fold-watch.int.spec.ts",
    seeds: 0,
    kills,
    faults: { "folds that hang": kills },
    events: 5,
    violations: 0,
  });
});

interface Ended {
  readonly signal: string | null;
  readonly code: number | null;
  readonly lines: string;
}

/** Runs a piece of code in a process of its own, with the built engine. */
function run(
  code: string,
  environment: Readonly<Record<string, string>> = {},
): { child: ChildProcess; end: Promise<Ended> } {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: join(repositoryRoot, "dist"),
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  started.push(child);
  let lines = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    lines += text;
  });
  const end = new Promise<Ended>((resolve) => {
    child.once("close", (exitCode, signal) => resolve({ signal, code: exitCode, lines }));
  });
  return { child, end };
}

/** A watched lane with a budget of 0.3 seconds. */
const watched = `
  const { FoldWatchdog } = await import("./engine/projector/fold-watch.js");
  const dog = new FoldWatchdog(0.3, "slow-consumer");
  const watch = dog.lane({ projection: "sayings", topic: "health.visit.events", partition: 3 });
  const until = (milliseconds) => { const end = performance.now() + milliseconds; while (performance.now() < end); };
`;

it("an event that takes longer than the budget ends the process, with its place on a line", async () => {
  const { end } = run(`${watched} watch.begin(41); watch.begin(17); for (;;);`);
  const { signal, lines } = await end;
  kills++;
  expect(signal).toBe("SIGKILL");
  expect(JSON.parse(lines)).toMatchObject({
    level: "fatal",
    name: "slow-consumer",
    code: "TRIB_PROJECT_FOLD_TOO_SLOW",
    projection: "sayings",
    topic: "health.visit.events",
    partition: 3,
    offset: 17,
  });
}, 30_000);

it("many events that are fast, idle time, and a process that was stopped, are no slow fold", async () => {
  const { child, end } = run(`${watched}
    for (let offset = 0; offset < 10; offset++) { watch.begin(offset); until(60); }
    watch.end();
    until(700);
    watch.begin(11);
    process.stderr.write("stop me\\n");
    until(100);
    watch.end();
    await dog.close();
  `);
  await new Promise<void>((resolve) => child.stderr?.once("data", () => resolve()));
  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  child.kill("SIGCONT");
  expect(await end).toEqual({ signal: null, code: 0, lines: "stop me\n" });
}, 30_000);

it("costs a few nanoseconds an event", async () => {
  const { end } = run(`${watched}
    for (let offset = 0; offset < 1e6; offset++) watch.begin(offset);
    const start = performance.now();
    for (let offset = 0; offset < 1e7; offset++) watch.begin(offset);
    process.stderr.write(String((performance.now() - start) / 10));
    watch.end();
    await dog.close();
  `);
  expect(Number((await end).lines)).toBeLessThan(500);
}, 30_000);

it("a lane whose fold hangs parks nothing, however often it starts, and goes on when an operator decides it", async () => {
  const bench = await ProjectionBench.create(poisoned, database.pool);
  const hanging = `${watched}
    const { openPool } = await import("./engine/store/pool.js");
    const { ProjectionBench } = await import("./engine/testing/projection-bench.js");
    const { poisoned, saying } = await import("./engine/testing/poison.js");
    const pool = openPool(process.env.SPEC_DATABASE, { applicationName: "slow consumer" });
    const bench = await ProjectionBench.create(poisoned, pool);
    bench.append([saying(1, "set"), saying(1, "hang"), saying(2, "set"), saying(1, "set", "late")]);
    await bench.run({ watch });
    await dog.close();
    await pool.end();
  `;
  for (let start = 0; start < 2; start++) {
    const { signal, lines } = await run(hanging, { SPEC_DATABASE: database.url }).end;
    kills++;
    expect(signal).toBe("SIGKILL");
    expect(lines).toContain('"offset":1,');
    expect(await listParked(database.pool)).toEqual([]);
  }
  const places = [{ topic: poisonTopic, partition: 0, offset: 1 }];
  await requestDecisions(database.pool, {
    projection: "sayings",
    action: "park",
    places,
    reason: "hangs",
    by: "operator",
  });
  expect(await run(hanging, { SPEC_DATABASE: database.url }).end).toEqual({ signal: null, code: 0, lines: "" });
  expect(await listParked(database.pool)).toMatchObject([{ offset: 1, code: "TRIB_PROJECT_PARKED_BY_OPERATOR" }]);
  expect((await bench.rows("sayings")).map(({ row }) => row.said)).toEqual(["set", "set"]);
}, 60_000);
