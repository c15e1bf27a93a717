import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { type Random, seededRandom } from "../../demo/random.js";
import { type OwnTopics, ownTopics } from "../../engine/log/own-topics.js";
import { connectCodec } from "../../engine/log/registry.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { loadConnector } from "../../engine/service/discover.js";
import { requireSetting } from "../../engine/service/settings.js";
import { chaosSize } from "../../engine/testing/chaos.js";
import { openVault } from "../../engine/vault/vault.js";
import type { BrokerId, ThreeBrokers } from "../brokers/cluster.js";
import { moveLeaders } from "../brokers/leaders.js";
import { journalLag } from "../crash/backlog.js";
import { hunt, type Kill, tally } from "../crash/hunter.js";
import { WatchedProcesses } from "../crash/processes.js";
import { startInstallation, type TestInstallation } from "../installation.js";
import { type Connector, connectors } from "./deliveries.js";
import { type Judgement, judge } from "./judgement.js";
import { Partner } from "./partner.js";

const partitions = 3;

/** What strikes three brokers of which two must have whatever is acknowledged. */
const faultKinds = [
  "leaders moved",
  "one of three brokers killed",
  "one of three brokers frozen",
  "disk of one of three brokers full",
  "two of three brokers frozen",
] as const;
type Fault = (typeof faultKinds)[number];

const wanted = (): Record<Fault, number> => ({
  "leaders moved": chaosSize(1, 20),
  "one of three brokers killed": chaosSize(1, 10),
  "one of three brokers frozen": chaosSize(0, 8),
  "disk of one of three brokers full": chaosSize(0, 4),
  "two of three brokers frozen": chaosSize(0, 4),
});

/** Longer than a broker's session (3 s): its partitions go to others meanwhile. */
const longFreeze = 4_500;

export interface Acknowledged extends Judgement {
  readonly kills: readonly Kill[];
  readonly faults: Readonly<Record<string, number>>;
  /** Sendings without a final answer. */
  readonly retries: number;
}

interface Scene {
  readonly brokers: ThreeBrokers;
  readonly admin: OwnTopics["admin"];
  /** The journal, with the installation's prefix. */
  readonly journal: string;
  readonly partners: readonly Partner[];
  readonly random: Random;
  readonly faults: Record<string, number>;
}

/**
 * Partners of every connector at work on three brokers, while leaders move, brokers die, hang and have no room, and
 * connectors are killed; then every answer is held against the log.
 */
export async function acknowledgmentsOnThree(brokers: ThreeBrokers, seed: number): Promise<Acknowledged> {
  const random = seededRandom(`three brokers/${seed}`);
  const processes = new WatchedProcesses();
  const chosen: readonly Connector[] = chaosSize(0, 1) === 1 ? connectors : ["hl7v2", "fhir"];
  const installation = await startInstallation({
    names: ["publisher", ...chosen],
    settings: {
      KAFKA_BROKERS: brokers.addresses.join(","),
      TOPIC_REPLICATION: "3",
      TOPIC_PARTITIONS: String(partitions),
    },
    watch: processes.watch,
  });
  const topics = await ownTopics({ KAFKA_BROKERS: brokers.addresses });
  try {
    await installation.untilReady();
    let over = false;
    const partners = await Promise.all(
      chosen.map(async (connector) => {
        const definition = await loadConnector(connector);
        const options = { connector, definition, random: random.fork(connector), lanes: 3, rest: chaosSize(100, 300) };
        return new Partner({ ...options, addresses: () => addressesOf(installation, connector), over: () => over });
      }),
    );
    const faults: Record<string, number> = {};
    const kills: Kill[] = [];
    const work = partners.map((partner) => partner.work());
    const ready = async (name: string) => {
      const process = installation.process(name);
      if (!process?.admin || process.pid !== processes.pid(name)) return false;
      const answer = await fetch(`${process.admin}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
      return answer?.ok ?? false;
    };
    const hunts = partners.map((partner, index) => {
      const { connector: name } = partner;
      const prey = { name, signal: "SIGKILL" as const, busy: () => partner.inFlight };
      const options = { processes, ready, over: () => false, kills, random: random.fork(`hunter ${index}`) };
      return hunt(Array(chaosSize(0, 6)).fill(prey), options);
    });
    const journal = `${installation.settings.TOPIC_PREFIX}${journalTopic}`;
    const scene = { brokers, admin: topics.admin, journal, partners, random, faults };
    await Promise.all([...hunts, storm(scene)]).finally(() => {
      over = true;
    });
    await Promise.all(work);
    await installation.untilReady();
    await expect.poll(() => journalLag(installation), { timeout: 60_000 }).toBe(0);

    const codec = await connectCodec(installation.settings);
    const vault = openVault({ pool: installation.pool, kek: requireSetting(installation.settings, "TRIBUTARY_KEK") });
    const told = partners.flatMap(({ log }) => log);
    const judgement = await judge({ ...installation, codec, vault }, told);
    vault.close();
    const unanswered = partners.flatMap((partner) => partner.unanswered);
    const retries = partners.reduce((sum, partner) => sum + partner.retries, 0);
    process.stdout.write(
      `seed ${seed}, three brokers: ${judgement.units} units, ${judgement.events} events, ${retries} sendings without an answer; ${JSON.stringify(faults)}\n${tally(kills)}\n`,
    );
    return { ...judgement, violations: [...judgement.violations, ...unanswered], kills, faults, retries };
  } finally {
    await topics.dispose();
    await installation.stop();
  }
}

const addressesOf = (installation: TestInstallation, connector: Connector) =>
  (installation.process(connector)?.addresses ?? []).filter(({ protocol }) => protocol !== "file");

/** Every kind of fault as often as it is wanted, one after the other; after each every partner is answered again. */
async function storm(scene: Scene): Promise<void> {
  const { brokers, random, faults, partners } = scene;
  const counts = wanted();
  if (!brokers.haveOwnDisks) process.stdout.write("No disk can be mounted here: a broker's is never full.\n");
  const kinds = faultKinds.filter((kind) => brokers.haveOwnDisks || kind !== "disk of one of three brokers full");
  const left = () => kinds.filter((kind) => (faults[kind] ?? 0) < counts[kind]);
  for (let open = left(); open.length > 0; open = left()) {
    await strike(random.pick(open), scene);
    await recovered(partners);
  }
}

async function strike(fault: Fault, scene: Scene): Promise<void> {
  const { brokers, partners, random, faults } = scene;
  const inFlight = () => partners.some((partner) => partner.inFlight > 0);
  for (const until = performance.now() + 5_000; !inFlight() && performance.now() < until; ) await pause(5);
  const atWork = inFlight();
  const broker = random.pick(brokers.ids) as BrokerId;
  if (fault === "leaders moved") await moveJournal(scene);
  else if (fault === "one of three brokers killed") {
    await brokers.kill(broker);
    await pause(random.below(2_000));
    await brokers.begin(broker);
  } else if (fault === "one of three brokers frozen") {
    await brokers.freeze(broker);
    await pause(longFreeze);
    await brokers.thaw(broker);
  } else if (fault === "disk of one of three brokers full") {
    await brokers.fillDisk(broker, 6_000);
    brokers.freeDisk(broker);
    await brokers.kill(broker);
    await brokers.begin(broker);
  } else {
    // One alone may take nothing: whatever it is sent has no second copy.
    const others = brokers.ids.filter((id) => id !== broker);
    await Promise.all(others.map((id) => brokers.freeze(id)));
    await pause(500 + random.below(longFreeze));
    await Promise.all(others.map((id) => brokers.thaw(id)));
  }
  faults[fault] = (faults[fault] ?? 0) + (atWork ? 1 : 0);
}

/** Every partition of the journal gets another leader, in the middle of sends. */
async function moveJournal({ brokers, admin, journal, random }: Scene): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const to = random.pick(brokers.ids) as BrokerId;
    await moveLeaders(brokers, admin, [{ topic: journal, partition }], to, 3_000).catch(() => false);
  }
}

async function recovered(partners: readonly Partner[]): Promise<void> {
  const before = partners.map(({ answered }) => answered);
  const again = () => partners.every(({ answered }, at) => answered > (before[at] as number));
  await expect.poll(again, { timeout: 120_000, interval: 20, message: "answers after a fault" }).toBe(true);
}
