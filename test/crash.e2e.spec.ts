import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numbersOf } from "../demo/load.js";
import { seededRandom } from "../demo/random.js";
import { generateRegion, type Region } from "../demo/region.js";
import { consumerNames } from "../engine/service/discover.js";
import { freePorts } from "../stack/ports.js";
import { consumerLag, journalLag } from "./crash/backlog.js";
import { DroppedFiles } from "./crash/dropped-files.js";
import { hunt, type Kill, type Prey, tally } from "./crash/hunter.js";
import { startLoad } from "./crash/load.js";
import { WatchedProcesses } from "./crash/processes.js";
import { distinctCounts, expectedCounts, unequalToLog, untrueRows } from "./crash/proof.js";
import { startInstallation, type TestInstallation } from "./installation.js";

/** One round is what `npm test` runs, about a minute of load; a long run is CRASH_ROUNDS of them. */
const rounds = Number(process.env.CRASH_ROUNDS ?? "1");
const seed = process.env.CRASH_SEED ?? randomBytes(4).toString("hex");

const processes = new WatchedProcesses();
let installation: TestInstallation;
let addresses: { mllp: string; x12: string };
let regions: readonly Region[];

beforeAll(async () => {
  const ports = await freePorts();
  addresses = { mllp: `mllp://127.0.0.1:${ports.kafka}`, x12: `http://127.0.0.1:${ports.registry}` };
  installation = await startInstallation({
    settings: { HL7V2_PORT: String(ports.kafka), X12_PORT: String(ports.registry), TOPIC_PARTITIONS: "3" },
    watch: processes.watch,
  });
  await installation.untilReady();
});
afterAll(() => installation?.stop());

async function ready(name: string): Promise<boolean> {
  const process = installation.process(name);
  if (!process?.admin || process.pid !== processes.pid(name)) return false;
  const answer = await fetch(`${process.admin}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  return answer?.ok ?? false;
}

const times = (count: number, prey: Prey): Prey[] => Array.from({ length: count * rounds }, () => prey);

describe("processes killed at any time", () => {
  it("end in the same rows", { timeout: 400_000 * rounds }, async () => {
    const random = seededRandom(`crash/${seed}`);
    const patients = 100;
    let hunting = true;
    const load = startLoad({
      region: (number) =>
        generateRegion({ seed: `${seed}/${number}`, patients, firstNumber: number * numbersOf(patients) }),
      least: 2 * rounds,
      // A slow machine needs longer for the same kills.
      most: 8 * rounds,
      enough: () => !hunting,
      addresses,
      rates: { hl7v2: 12, x12: 0.4 },
    });
    const kills: Kill[] = [];
    const prey = (name: string, killed: number, busy: Prey["busy"]): Prey[] => [
      ...times(killed, { name, signal: "SIGKILL", busy }),
      { name, signal: "SIGTERM", busy },
    ];
    const kinds = {
      connector: [...prey("hl7v2", 7, () => load.inFlight("hl7v2")), ...prey("x12", 4, () => load.inFlight("x12"))],
      publisher: prey("publisher", 11, () => journalLag(installation)),
      consumer: consumerNames().flatMap((name) => prey(name, 3, () => consumerLag(installation, name))),
    };
    const middle = kinds.consumer.length / 2;
    const hunts = [kinds.connector, kinds.publisher, kinds.consumer.slice(0, middle), kinds.consumer.slice(middle)].map(
      (victims, index) =>
        hunt(victims, { processes, random: random.fork(`hunter ${index}`), ready, over: load.over, kills }),
    );
    const hunted = Promise.all(hunts).finally(() => {
      hunting = false;
    });
    const [played] = await Promise.all([load.played, hunted]);
    regions = played.regions;
    const { retries, surprises } = played;
    process.stdout.write(
      `seed ${seed}, ${regions.length} regions, ${retries} deliveries sent again\n${tally(kills)}\n`,
    );

    await installation.untilReady();
    expect(await installation.applied(60)).toEqual({ parkedKeys: 0 });
    for (const [kind, victims] of Object.entries(kinds)) {
      const names = new Set(victims.map(({ name }) => name));
      const counted = kills.filter(({ name, signal, counted }) => names.has(name) && signal === "SIGKILL" && counted);
      expect(counted.length, `counted kills of ${kind}s`).toBeGreaterThanOrEqual(10 * rounds);
      for (const name of names) expect(counted.filter((kill) => kill.name === name).length, name).toBeGreaterThan(2);
    }
    const inOrder = kills.filter(({ signal }) => signal === "SIGTERM");
    expect(inOrder.filter(({ counted }) => counted).length).toBe(3 + consumerNames().length);
    expect(inOrder.filter(({ exitCode }) => exitCode !== 0)).toEqual([]);
    expect(processes.ends.filter(({ exitCode, signal }) => exitCode !== 0 && signal !== "SIGKILL")).toEqual([]);

    expect(surprises.hl7v2).toEqual([]);
    // An interchange sent again is told from a new one by the journal's note of the answer to the first: killed before that
    // note, or with the publisher not so far yet, the connector gives the answer of the first once more.
    const likeTheFirst = /^TA1:R:025.* 999/;
    const wrong = surprises.x12.filter(({ expected, received }) => !likeTheFirst.test(`${expected} ${received}`));
    expect(wrong).toEqual([]);
    expect(await untrueRows(installation, regions)).toEqual([]);
    expect(await unequalToLog(installation)).toEqual({});
    const { rejected, ...exact } = expectedCounts(regions);
    const found = await distinctCounts(installation);
    expect(found).toMatchObject(exact);
    expect(found.rejected).toBeGreaterThanOrEqual(rejected - surprises.x12.length);
  });

  it("lose no dropped file", { timeout: 120_000 }, async () => {
    const random = seededRandom(`crash/files/${seed}`);
    const region = generateRegion({ seed: `${seed}/files`, patients: 300, firstNumber: 100_000 });
    const files = new DroppedFiles(installation.home, region);
    const kills: Kill[] = [];
    await files.drop();
    await hunt(
      Array.from({ length: 5 }, () => ({ name: "x12", signal: "SIGKILL", busy: () => files.inHand() })),
      { processes, random, ready, over: () => files.over(), kills },
    );
    await expect.poll(() => files.over(), { timeout: 60_000 }).toBe(true);
    process.stdout.write(`seed ${seed}, dropped files\n${tally(kills)}\n`);
    expect(kills.filter(({ counted }) => counted).length).toBeGreaterThanOrEqual(5);
    await installation.untilReady();
    expect(await installation.applied()).toEqual({ parkedKeys: 0 });
    expect(files.wrong()).toEqual([]);
    expect(await untrueRows(installation, regions, [region])).toEqual([]);
  });
});
