import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../demo/random.js";
import { connectCodec } from "../engine/log/registry.js";
import { loadConsumer } from "../engine/service/discover.js";
import { builtRoot } from "../engine/service/root.js";
import { chaosSize, firstSeed, recordChaos } from "../engine/testing/chaos.js";
import { AnyTraffic } from "./crash/any-traffic.js";
import { consumerLag } from "./crash/backlog.js";
import type { LiveCheck } from "./crash/live-checker.js";
import { WatchedProcesses } from "./crash/processes.js";
import { startInstallation, type TestInstallation } from "./installation.js";

/** Three of keyed, summed, appended and derived tables together. */
const names = ["visits", "patients", "activity"];
const wantedProjections = 4;
const wantedHits = chaosSize(20, 120);
const wantedKills = chaosSize(4, 40);
const longestMilliseconds = chaosSize(150_000, 1_800_000);
const seed = firstSeed();

const processes = new WatchedProcesses();
let installation: TestInstallation;
let traffic: AnyTraffic;

beforeAll(async () => {
  installation = await startInstallation({ names, settings: { TOPIC_PARTITIONS: "3" }, watch: processes.watch });
  const projections = (await Promise.all(names.map(loadConsumer))).flatMap(({ project }) => project);
  traffic = await AnyTraffic.open(installation.log, await connectCodec(installation.settings), { projections, seed });
});
afterAll(() => installation?.stop());

/** The checker, a process of its own; each check is told as it comes. */
function startChecker(tell: (check: LiveCheck) => void) {
  const child = spawn(process.execPath, [join(builtRoot, "test/crash/live-checker.js"), ...names], {
    env: { ...installation.environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout }).on("line", (line) => tell(JSON.parse(line) as LiveCheck));
  const ended = once(child, "close");
  return {
    ended,
    async stop(): Promise<number> {
      child.stdin.end();
      return ((await ended) as [number])[0];
    },
  };
}

/** The next look at every build. */
async function checkOnce(): Promise<readonly LiveCheck[]> {
  const checks = new Map<string, LiveCheck>();
  const checker = startChecker((check) => checks.set(check.projection, check));
  expect(await checker.stop()).toBe(0);
  return [...checks.values()];
}

describe("builds at work", () => {
  it("equal the fold of the log at every moment, under kills", { timeout: longestMilliseconds + 60_000 }, async () => {
    const random = seededRandom(`live/${seed}`);
    const checks: LiveCheck[] = [];
    const hits = () => checks.filter(({ moving }) => moving).length;
    const hitProjections = () =>
      new Set(checks.filter(({ moving }) => moving).map(({ projection }) => projection)).size;
    let kills = 0;
    let going = true;
    const until = performance.now() + longestMilliseconds;
    const violated = () => checks.some(({ differing }) => differing > 0);
    const enough = () =>
      !going ||
      violated() ||
      performance.now() > until ||
      (hits() >= wantedHits && kills >= wantedKills && hitProjections() === wantedProjections);

    const send = async () => {
      while (!enough()) {
        await traffic.send();
        await pause(200);
      }
    };
    // A build is seen at work some times between two kills: processes that are only ever started have nothing to show.
    const killable = () => kills < wantedKills && hits() >= (kills * wantedHits) / wantedKills;
    const kill = async () => {
      while (!enough()) {
        await pause(100 + random.below(500));
        if (!killable()) continue;
        const name = names[random.below(names.length)] as string;
        let behind = 0;
        while (!enough() && (processes.pid(name) === undefined || behind === 0)) {
          behind = await consumerLag(installation, name);
        }
        if (behind === 0 || processes.pid(name) === undefined) continue;
        await processes.end(name, "SIGKILL");
        kills++;
      }
    };
    await installation.untilReady();
    const checker = startChecker((check) => checks.push(check));
    const over = checker.ended.then(() => {
      going = false;
    });
    await Promise.all([send(), kill()]);
    expect(await checker.stop()).toBe(0);
    await over;

    expect(checks.filter(({ differing }) => differing > 0)).toEqual([]);
    expect(hits()).toBeGreaterThanOrEqual(wantedHits);
    expect(hitProjections()).toBe(wantedProjections);
    expect(checks.at(-1)?.parkedKeys).toBeGreaterThan(0);
    expect(processes.ends.filter(({ signal }) => signal !== "SIGKILL")).toEqual([]);
    recordChaos({
      guarantee: "Rows equal the fold of the log at the checkpoint, at every moment",
      spec: "test/live-checker.e2e.spec.ts",
      seeds: 1,
      kills,
      faults: { "builds checked while at work": hits(), "consumers killed with a backlog": kills },
      events: checks.reduce((sum, { events }) => sum + events, 0),
      violations: 0,
    });
  });

  it("are found out: one value, one checkpoint, one parked key", { timeout: 60_000 }, async () => {
    for (const name of names) while ((await consumerLag(installation, name)) > 0) await pause(50);
    expect((await checkOnce()).filter(({ differing }) => differing > 0)).toEqual([]);
    await installation.supervisor.stop();

    const change = (statement: string) => installation.pool.query(statement);
    await change(`UPDATE build_visits_1.visits SET partner = 'another'
      WHERE visit_id = (SELECT visit_id FROM build_visits_1.visits LIMIT 1)`);
    // By half, for the last events of a partition may be repetitions, which count for nothing.
    await change(`UPDATE engine.checkpoints SET next_offset = next_offset / 2
      WHERE projection = 'daily_activity' AND (topic, partition) =
        (SELECT topic, partition FROM engine.checkpoints WHERE projection = 'daily_activity' ORDER BY next_offset DESC LIMIT 1)`);
    await change(
      "DELETE FROM engine.parked_keys WHERE projection = 'timeline' AND ctid = (SELECT min(ctid) FROM engine.parked_keys WHERE projection = 'timeline')",
    );
    const found = new Map((await checkOnce()).map((check) => [check.projection, check.differences]));
    expect(found.get("patients")).toEqual([]);
    expect(found.get("visits")).toMatchObject([{ table: "visits", what: "different", columns: ["partner"] }]);
    expect(found.get("daily_activity")?.length).toBeGreaterThan(0);
    expect(found.get("timeline")).toMatchObject([{ table: "parked_keys", what: "missing" }]);
  });
});
