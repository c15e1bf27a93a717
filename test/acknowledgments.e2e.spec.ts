import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../demo/random.js";
import { connectCodec } from "../engine/log/registry.js";
import { loadConnector } from "../engine/service/discover.js";
import { requireSetting } from "../engine/service/settings.js";
import { chaosSize, firstSeed, recordChaos } from "../engine/testing/chaos.js";
import { startTcpProxy, type TcpProxy, unframed } from "../engine/testing/tcp-proxy.js";
import { openVault } from "../engine/vault/vault.js";
import { freePorts } from "../stack/ports.js";
import { LoneBroker } from "./acknowledgments/broker.js";
import { type Connector, connectors } from "./acknowledgments/deliveries.js";
import { DropBox, fileConnectors } from "./acknowledgments/drop-box.js";
import { judge } from "./acknowledgments/judgement.js";
import { type Answered, Partner } from "./acknowledgments/partner.js";
import { type Flood, flood } from "./acknowledgments/slow-log.js";
import { Replies, strike, type WeatherKind, weatherKinds } from "./acknowledgments/weather.js";
import { journalLag } from "./crash/backlog.js";
import { hunt, type Kill, type Prey, tally } from "./crash/hunter.js";
import { WatchedProcesses } from "./crash/processes.js";
import { startInstallation, type TestInstallation } from "./installation.js";

const seed = firstSeed();
const random = seededRandom(`acknowledgments/${seed}`);
const processes = new WatchedProcesses();
const brokerReplies = new Replies(random.fork("broker"), 1_500);
/** What partners hear comes late or not at all, all the time. */
const answers = new Replies(random.fork("answers"), 2_000);
const postgres = { away: false, proxy: () => postgresProxy };
let broker: LoneBroker;
let postgresProxy: TcpProxy;
let installation: TestInstallation;
const doors = new Map<Connector, TcpProxy>();

beforeAll(async () => {
  const server = new URL(process.env.DATABASE_URL ?? "");
  postgresProxy = await startTcpProxy({
    host: server.hostname,
    port: Number(server.port || 5432),
    framing: unframed,
    connection: () => ({ kind: postgres.away ? "cut" : "pass" }),
  });
  broker = await LoneBroker.start(brokerReplies.treat);
  const [one, two] = await Promise.all([freePorts(), freePorts()]);
  const ports = {
    hl7v2: one.kafka,
    x12: one.controller,
    fhir: one.registry,
    csv: one.postgres,
    cloudevents: two.kafka,
  };
  installation = await startInstallation({
    names: ["publisher", ...connectors],
    settings: {
      KAFKA_BROKERS: broker.address,
      TOPIC_PARTITIONS: "3",
      // So little that a sender who is not held back is seen in the memory.
      HL7V2_BYTES_IN_HAND: "16000000",
      HL7V2_PORT: String(ports.hl7v2),
      X12_PORT: String(ports.x12),
      CONNECTOR_PORTS: ["fhir", "csv", "cloudevents"].map((name) => `${name}=${ports[name as "csv"]}`).join(","),
    },
    watch: {
      ...processes.watch,
      onEnded(ended) {
        lastEnded.set(ended.name, answeredBy(ended.name));
        processes.watch.onEnded(ended);
      },
    },
    postgresPort: postgresProxy.port,
  });
  await installation.untilReady();
  for (const connector of connectors) {
    doors.set(
      connector,
      await startTcpProxy({ host: "127.0.0.1", port: ports[connector], framing: unframed, reply: answers.treat }),
    );
  }
});
afterAll(async () => {
  broker?.thaw();
  await installation?.stop();
  for (const door of doors.values()) await door.close();
  await postgresProxy?.close();
  await broker?.dispose();
});

const partnersByName = new Map<string, Partner>();
const answeredBy = (name: string): number => partnersByName.get(name)?.answered ?? 0;
/** How much a connector had answered when its last process ended. */
const lastEnded = new Map<string, number>();

/** Where a partner believes a connector to be. */
function addressesOf(connector: Connector) {
  const port = String(doors.get(connector)?.port);
  const known = installation.process(connector)?.addresses ?? [];
  return known
    .filter(({ protocol }) => protocol !== "file")
    .map((address) => {
      const url = new URL(address.url);
      url.port = port;
      return { ...address, url: url.href.replace(/\/$/, "") };
    });
}

/** Waits until every partner has had one more answer: what is never calm shows nothing but time-outs. */
async function recovered(partners: readonly Partner[]): Promise<void> {
  const before = partners.map(({ answered }) => answered);
  const again = () => partners.every(({ answered }, at) => answered > (before[at] as number));
  await expect.poll(again, { timeout: 120_000, interval: 20, message: "answers after a fault" }).toBe(true);
}

/** Whether a process is ready, and, if it is a connector, at work: one that is killed before it is tells nothing. */
async function ready(name: string): Promise<boolean> {
  if (partnersByName.has(name) && answeredBy(name) <= (lastEnded.get(name) ?? 0)) return false;
  const process = installation.process(name);
  if (!process?.admin || process.pid !== processes.pid(name)) return false;
  const answer = await fetch(`${process.admin}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  return answer?.ok ?? false;
}

describe("what partners are told", () => {
  it("is true whatever dies, hangs or is full", { timeout: chaosSize(120_000, 1_500_000) }, async () => {
    let over = false;
    const known = new Map(connectors.map((connector) => [connector, addressesOf(connector)]));
    const partners = await Promise.all(
      connectors.map(async (connector) => {
        const definition = await loadConnector(connector);
        return new Partner({
          connector,
          definition,
          addresses: () => known.get(connector) ?? [],
          random: random.fork(connector),
          lanes: 3,
          rest: chaosSize(200, 300),
          over: () => over,
        });
      }),
    );
    for (const partner of partners) partnersByName.set(partner.connector, partner);
    const boxes = fileConnectors.map(
      (connector) => new DropBox(installation.home, connector, random.fork(`files ${connector}`)),
    );
    const inFlight = () => partners.reduce((sum, partner) => sum + partner.inFlight, 0);
    answers.lost = 20;
    answers.late = 60;
    const work = [
      ...partners.map((partner) => partner.work()),
      ...boxes.map((box) => box.work(() => over, chaosSize(1_500, 2_000))),
    ];

    const kills: Kill[] = [];
    const prey = (name: string, count: number, busy: Prey["busy"]): Prey[] =>
      Array.from({ length: count }, () => ({ name, signal: "SIGKILL" as const, busy }));
    const hunts = [
      ...partners.map((partner) => prey(partner.connector, chaosSize(1, 34), () => partner.inFlight)),
      // While the broker is away nobody can say how much waits.
      prey("publisher", chaosSize(1, 25), () => journalLag(installation).catch(() => 0)),
    ].map((victims, index) =>
      hunt(victims, { processes, random: random.fork(`hunter ${index}`), ready, over: () => false, kills }),
    );
    const hunted = Promise.all(hunts);
    const faults: Record<string, number> = {};
    const weather = async () => {
      const kinds = weatherKinds.filter((kind) => kind !== "broker's disk full" || broker.hasOwnDisk);
      if (!broker.hasOwnDisk) process.stdout.write("No disk can be mounted here: the broker's is never full.\n");
      const wanted: Record<WeatherKind, number> = {
        "broker killed": chaosSize(1, 14),
        "broker frozen": chaosSize(0, 8),
        "broker's disk full": chaosSize(0, 6),
        "broker's replies lost": chaosSize(1, 20),
        "broker's replies delayed": chaosSize(0, 20),
        "Postgres away": chaosSize(1, 8),
      };
      const left = () => kinds.filter((kind) => (faults[kind] ?? 0) < wanted[kind]);
      for (let kinds = left(); kinds.length > 0; kinds = left()) {
        const longestFreeze = chaosSize(1_000, 13_000);
        await strike(random.pick(kinds), { broker, brokerReplies, postgres, random, inFlight, faults, longestFreeze });
        await recovered(partners);
      }
    };
    await Promise.all([hunted, weather()]).finally(() => {
      over = true;
    });
    answers.lost = 0;
    answers.late = 0;
    await Promise.all(work);
    await expect.poll(() => boxes.reduce((sum, box) => sum + box.inHand, 0), { timeout: 60_000 }).toBe(0);
    await installation.untilReady();

    // A slow log slows the partners, the memory stays flat, and nothing that was taken is lost: the judge has it too.
    const slow = (isSlow: boolean) => {
      brokerReplies.late = isSlow ? 1_000 : 0;
    };
    const floods = new Map<string, Flood>();
    for (const connector of ["hl7v2", "fhir"] as const)
      floods.set(connector, await flood(connector, installation, slow, 2_000));
    for (const [name, { before, most, taken, heldBack, answered }] of floods) {
      const grown = Math.round((most - before) / 1_000_000);
      const shown = `${name} while its log was slow: ${Math.round(taken / 1_000_000)} MB taken, none of it for ${Math.round(heldBack)} ms, memory ${grown} MB more`;
      process.stdout.write(`${shown}\n`);
      expect(answered.length, shown).toBeGreaterThan(0);
      expect(heldBack, shown).toBeGreaterThan(200);
      expect(grown, shown).toBeLessThan(150);
    }
    await expect.poll(() => journalLag(installation), { timeout: 60_000 }).toBe(0);

    const retries = partners.reduce((sum, partner) => sum + partner.retries, 0);
    const dropped = boxes.flatMap((box) =>
      box.deliveries.map((delivery): Answered => {
        const told = delivery.units.map(({ accepted }, index) => {
          return { index, controlId: null, accepted, code: null, location: null, answer: null };
        });
        return { connector: box.connector, delivery, answers: [told] };
      }),
    );
    const flooded = [...floods.values()].flatMap(({ answered }) => answered);
    const told = [...partners.flatMap(({ log }) => log), ...dropped, ...flooded];
    const codec = await connectCodec(installation.settings);
    const vault = openVault({ pool: installation.pool, kek: requireSetting(installation.settings, "TRIBUTARY_KEK") });
    const judgement = await judge({ ...installation, codec, vault }, told);
    vault.close();
    const unanswered = partners.flatMap((partner) => partner.unanswered);
    const violations = [...judgement.violations, ...unanswered, ...boxes.flatMap((box) => box.wrong())];
    const { units, resends, reusedIds, answeredAnew, events } = judgement;
    process.stdout.write(
      `seed ${seed}: ${units} units, ${events} events, ${resends} sent again after their answer (${answeredAnew} interchanges answered as the first time), ${reusedIds} control ids used again, ${retries} sendings without an answer, ${dropped.length} dropped files; ${JSON.stringify(faults)}\n${tally(kills)}\n`,
    );
    expect(violations).toEqual([]);
    const counted = kills.filter((kill) => kill.counted);
    for (const { connector } of partners)
      expect(counted.filter(({ name }) => name === connector).length, connector).toBeGreaterThanOrEqual(
        chaosSize(1, 34),
      );
    expect(judgement.reusedIds).toBeGreaterThan(0);
    expect(judgement.resends).toBeGreaterThan(0);
    expect(dropped.length).toBeGreaterThan(0);
    const ofBroker = (faults["broker killed"] ?? 0) + (faults["broker's disk full"] ?? 0);
    recordChaos({
      guarantee: "What partners are told is true",
      spec: "test/acknowledgments.e2e.spec.ts",
      seeds: 1,
      kills: counted.length + ofBroker,
      faults: {
        "connector killed": counted.filter(({ name }) => name !== "publisher").length,
        "publisher killed": counted.filter(({ name }) => name === "publisher").length,
        ...faults,
        "answer lost on its way": answers.faults.lost,
        "answer late": answers.faults.late,
        "unit sent again": judgement.resends,
        "control id used again for other bytes": judgement.reusedIds,
      },
      events,
      violations: violations.length,
    });
  });
});
