import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../demo/random.js";
import { generateRegion } from "../demo/region.js";
import { consumerNames } from "../engine/service/discover.js";
import { freePorts } from "../stack/ports.js";
import { consumerLag, journalLag } from "./crash/backlog.js";
import { hunt, type Kill, type Prey, tally } from "./crash/hunter.js";
import { startLoad } from "./crash/load.js";
import { WatchedProcesses } from "./crash/processes.js";
import { distinctCounts, unequalToLog, untrueRows } from "./crash/proof.js";
import { startInstallation, type TestInstallation } from "./installation.js";

/** One round is what `npm test` runs, about a minute of load; a long run is CRASH_ROUNDS of them. */
const rounds = Number(process.env.CRASH_ROUNDS ?? "1");
const seed = process.env.CRASH_SEED ?? randomBytes(4).toString("hex");

const processes = new WatchedProcesses();
let installation: TestInstallation;
let addresses: { mllp: string; x12: string };

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
  it("end in the same rows", { timeout: 240_000 * rounds }, async () => {
    const random = seededRandom(`crash/${seed}`);
    const region = generateRegion({ seed, patients: 250 * rounds });
    const load = startLoad(region, addresses, { hl7v2: 12, x12: 0.3 });
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
    const began = performance.now();
    const since = () => performance.now() - began;
    const [{ hl7v2, x12 }, playedFor, hunted] = await Promise.all([
      load.played,
      load.played.then(since),
      Promise.all(hunts).then(since),
    ]);
    process.stdout.write(`hunted for ${Math.round(hunted / 1000)} s of ${Math.round(playedFor / 1000)} s of load\n`);
    process.stdout.write(`seed ${seed}, ${hl7v2.retries + x12.retries} deliveries sent again\n${tally(kills)}\n`);

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

    expect(hl7v2.surprises).toEqual([]);
    // An interchange sent again is told from a new one by the answer journalled after the first: killed in between, the
    // connector gives the answer of the first once more.
    const asTheFirst = x12.surprises.filter(
      ({ expected, received }) => !/^TA1:R:025.*999(:A)?/.test(`${expected} ${received}`),
    );
    expect(asTheFirst).toEqual([]);
    const truth = region.truth();
    expect(await untrueRows(installation, truth)).toEqual([]);
    expect(await unequalToLog(installation)).toEqual({});
    const { counts } = truth;
    const rejected = Object.values(counts.rejectedByCode).reduce((sum, units) => sum + units, 0);
    const found = await distinctCounts(installation);
    expect(found).toMatchObject({ accepted: counts.accepted - counts.resends, reusedIds: counts.reusedIds });
    expect(found.rejected).toBeGreaterThanOrEqual(rejected);
  });
});
