import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../demo/random.js";
import { decodeEntries } from "../engine/intake/decode-entries.js";
import { standaloneCodec } from "../engine/log/codec.js";
import { openJournal } from "../engine/log/genesis.js";
import { type OwnTopics, ownTopics } from "../engine/log/own-topics.js";
import { journalTopic } from "../engine/log/schemas.js";
import { builtRoot } from "../engine/service/root.js";
import { chaosSize, firstSeed } from "../engine/testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../engine/testing/database.js";
import { type DataKey, keyText } from "../engine/vault/data-key.js";
import { openUnit } from "../engine/vault/sealed-unit.js";
import { openVault } from "../engine/vault/vault.js";
import { HistoryServer } from "../producers/fhir/testing/history-server.js";
import type { PullTask } from "./history-kills/pull-process.js";

const random = seededRandom(`history/${firstSeed()}`);
const kek = "ab".repeat(32);
const codec = standaloneCodec();
const inbox = mkdtempSync(join(tmpdir(), "tributary-history-kills-"));
const server = new HistoryServer();
let topics: OwnTopics;
let database: FreshDatabase;

beforeAll(async () => {
  [topics, database] = await Promise.all([ownTopics(), freshDatabase()]);
  await topics.create(journalTopic, 2);
  await openJournal(topics.log, codec);
});
afterAll(async () => {
  await server.stop();
  await topics?.dispose();
  await database?.drop();
  rmSync(inbox, { recursive: true, force: true });
});

const instant = (step: number) => new Date(Date.UTC(2026, 2, 1) + Math.floor(step / 3) * 400).toISOString();

/** Versions of 17 patients and their deletions, three of them at one instant. */
function write(from: number, to: number): void {
  for (let step = from; step < to; step++) {
    const content = random.chance(100) ? undefined : { active: random.chance(500) };
    server.write("Patient", `p${random.below(17)}`, instant(step), content);
  }
}

function startReading(pull: object) {
  const child = fork(join(builtRoot, "test/history-kills/pull-process.js"), { execArgv: [] });
  const { KAFKA_BROKERS: brokers = [], TOPIC_PREFIX: topicPrefix } = topics.settings;
  child.send({ brokers, topicPrefix, databaseUrl: database.url, inbox, kek, pull } satisfies PullTask);
  return child;
}

interface Journalled {
  /** `p3/2`: the second version of a patient. */
  readonly name: string;
  readonly identity: string;
  /** Whether its content counts once for ever, and not only against the version before it. */
  readonly once: boolean;
}

async function journalled(): Promise<readonly Journalled[]> {
  const vault = openVault({ pool: database.pool, kek });
  const found: Journalled[] = [];
  for (const { partition, low, high } of await topics.log.watermarks(journalTopic)) {
    for await (const records of topics.log.read(journalTopic, partition, low, high)) {
      const units = (await decodeEntries(codec, records)).filter(({ entry }) => entry === "UNIT");
      const keys = await vault.openKeys(units.flatMap(({ sealedFor }) => sealedFor));
      for (const { receiptId, sealedFor, sealedUnit, accepted, identity, resend } of units) {
        expect(accepted).toBe(true);
        const chain = sealedFor.map((name) => keys.get(keyText(name)) as DataKey);
        const entry = JSON.parse(openUnit(receiptId, chain, sealedUnit).bytes.toString("utf8"));
        const [, id, version] = /^Patient\/(\w+)\/_history\/(\d+)$/.exec(entry.request.url) ?? [];
        found.push({ name: `${id}/${version}`, identity: identity?.toString("hex") ?? "", once: resend === "EVERY" });
      }
    }
  }
  vault.close();
  return found;
}

/** What the publisher publishes: the first of each identity, or what differs from the version before it. */
function facts(found: readonly Journalled[]): readonly string[] {
  const seen = new Set<string>();
  const latest = new Map<string, string>();
  const isNew = ({ name, identity, once }: Journalled) => {
    const [id = ""] = name.split("/");
    const before = once ? seen.has(identity) : latest.get(id) === identity;
    seen.add(identity);
    latest.set(id, identity);
    return !before;
  };
  return found.filter(isNew).map(({ name }) => name);
}

it("a history whose reader is killed again and again is told whole, in order, and nothing twice", {
  timeout: chaosSize(60_000, 600_000),
}, async () => {
  const kills = chaosSize(6, 60);
  const steps = 60;
  const base = await server.start();
  const pull = { base, types: ["Patient"], count: 25, everySeconds: 0.05, overlapSeconds: 2 };
  server.before = () => pause(random.below(8));
  for (let kill = 0; kill < kills; kill++) {
    write(kill * steps, (kill + 1) * steps);
    const child = startReading(pull);
    await once(child, "message");
    const asked = server.asked.length;
    // In the middle of its pages, or of what it does with them.
    while (server.asked.length === asked) await pause(1);
    await pause(random.below(400));
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const last = startReading(pull);
  const wanted = server.versions.map(({ id, version }) => `${id}/${version}`);
  const ends = Date.now() + chaosSize(20_000, 60_000);
  while (facts(await journalled()).length < wanted.length && Date.now() < ends) await pause(200);
  const length = (await journalled()).length;
  await pause(500);
  // What it has is not journalled again, however often it asks.
  const all = await journalled();
  expect(all).toHaveLength(length);
  last.kill("SIGKILL");
  await once(last, "exit");
  const told = facts(all);
  process.stdout.write(`${kills} kills: ${wanted.length} versions, ${all.length - told.length} sent again\n`);
  expect(told).toHaveLength(wanted.length);
  for (let patient = 0; patient < 17; patient++) {
    const own = (names: readonly string[]) => names.filter((name) => name.startsWith(`p${patient}/`));
    expect(own(told)).toEqual(own(wanted));
  }
});
