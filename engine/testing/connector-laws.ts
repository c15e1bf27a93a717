import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ConnectorDefinition, EventDraft, ReceivedUnit, SendLine } from "../intake/connector.js";
import { dryIntake } from "../intake/dry-intake.js";
import { finishEvents } from "../intake/finish-events.js";
import { standaloneCodec } from "../log/codec.js";
import { TributaryError } from "../service/errors.js";
import { loadProfiles } from "../service/profiles.js";
import { openRehearsal } from "../service/rehearsal.js";
import { readSettings } from "../service/settings.js";
import { type ConnectorBench, sendTo, startConnectorBench } from "./connector-bench.js";

type AnyConnector = ConnectorDefinition<unknown>;

/** Files of a connector's `samples/` by name: content of which every unit is accepted, or none. */
export interface Samples {
  readonly accepted: ReadonlyMap<string, Buffer>;
  readonly rejected: ReadonlyMap<string, Buffer>;
}

/** A connector and where its folder is. */
export interface Exercised {
  readonly connector: AnyConnector;
  /** Folder that holds `producers/`. */
  readonly root: string;
  readonly samples: Samples;
}

/** What every connector must hold to, whatever it speaks. */
export const connectorLaws: Readonly<Record<string, (exercised: Exercised) => Promise<void>>> = {
  "has a protocol, a reachable address and a known partner in every address": addressesAreReal,
  "answers what it accepts when the journal has it, with events that the log can carry": acceptsSamples,
  "names code and place of what it rejects, and makes no event of it": rejectsSamples,
  "accepts nothing while nothing is durable, and takes the same again afterwards": waitsForTheJournal,
  "gives the journal's own refusal as a rejection": tellsTheJournalsRefusal,
  "says in a rehearsal what it answers in earnest, and leaves nothing behind": rehearses,
  "outlives bytes that are not of its protocol": outlivesNoise,
  "answers what is in hand when it closes, and then listens no more": closesCleanly,
  "tells with a coded error, to be tried again, that nobody listens": tellsThatNobodyListens,
};

/** Longest a closing connector may take when nothing is under way. */
const closingMilliseconds = 3_000;

async function withBench({ connector, root }: Exercised, use: (bench: ConnectorBench) => Promise<void>): Promise<void> {
  const bench = await startConnectorBench(connector, root);
  try {
    await use(bench);
  } finally {
    await bench.close();
  }
}

const eachOf = (samples: ReadonlyMap<string, Buffer>) => {
  expect(samples.size, "files in samples/").toBeGreaterThan(0);
  return samples;
};

async function addressesAreReal(exercised: Exercised): Promise<void> {
  await withBench(exercised, async ({ receiver, partners }) => {
    expect(receiver.addresses.length).toBeGreaterThan(0);
    for (const { protocol, url, partner } of receiver.addresses) {
      expect(protocol).toMatch(/^[a-z][a-z0-9+.-]*$/);
      expect(URL.canParse(url), `an address of ${protocol}`).toBe(true);
      expect(new URL(url).port, url).not.toBe("0");
      if (partner !== undefined) expect(partners).toContain(partner);
    }
  });
}

const unitsOf = ({ intake }: ConnectorBench) => intake.units.filter(({ entry }) => entry === "UNIT");

async function acceptsSamples(exercised: Exercised): Promise<void> {
  for (const [name, bytes] of eachOf(exercised.samples.accepted)) {
    await withBench(exercised, async (bench) => {
      const lines = await bench.send(bytes);
      expect(lines.length, name).toBeGreaterThan(0);
      for (const line of lines) expect(line, name).toMatchObject({ file: "sample", accepted: true, code: null });
      expect(lines.every(({ answer, ms }) => answer !== "" && ms >= 0)).toBe(true);
      expect(unitsOf(bench).length, name).toBeGreaterThanOrEqual(lines.length);
      expect(unitsOf(bench).flatMap(({ events }) => events).length, name).toBeGreaterThan(0);
      for (const unit of bench.intake.units) expectSound(unit, exercised.connector.name);
    });
  }
}

const codec = standaloneCodec();
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const eventLimit = 1_000_000;

/** Checks a unit as the intake would, and that nothing that is sealed is also in the clear. */
function expectSound(unit: ReceivedUnit, connector: string): void {
  const context = { codec, connector, receiptId: "receipt", seal: (_: object, __: string, bytes: Buffer) => bytes };
  expect(finishEvents(unit, { ...context, eventLimit }).verdict).toEqual({ accepted: true });
  expect(unit.feed === unit.partner || unit.feed.startsWith(`${unit.partner}/`), "feed begins with its partner").toBe(
    true,
  );
  for (const subject of unit.sealFor) expect(subject).toMatch(uuid);
  for (const event of unit.events) {
    expect(event.subject).toMatch(uuid);
    expectNothingPersonal(event);
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** Shorter ones would be found in anything. */
const shortestName = 3;

function expectNothingPersonal(event: EventDraft): void {
  const open = textsIn({ subject: event.subject, fields: event.fields });
  const secret = textsIn(event.sealed ?? {}).filter((text) => text.length >= shortestName);
  const leaked = secret.filter((text) => open.some((field) => field.includes(text)));
  expect(leaked, `sealed values of ${event.type} that are in the clear too`).toEqual([]);
}

async function rejectsSamples(exercised: Exercised): Promise<void> {
  for (const [name, bytes] of eachOf(exercised.samples.rejected)) {
    await withBench(exercised, async (bench) => {
      const lines = await bench.send(bytes);
      expect(lines.length, name).toBeGreaterThan(0);
      for (const { accepted, code, location, answer } of lines) {
        expect(accepted, name).toBe(false);
        expect([code, location, answer], name).toEqual([expect.any(String), expect.any(String), expect.any(String)]);
      }
      const units = unitsOf(bench);
      expect(units.length, "a rejected unit is evidence, and journalled").toBeGreaterThan(0);
      for (const { verdict, events } of units) {
        expect(verdict, name).toMatchObject({ accepted: false, code: expect.stringMatching(/^[A-Z0-9_]+$/) });
        expect(events, name).toEqual([]);
      }
    });
  }
}

async function waitsForTheJournal(exercised: Exercised): Promise<void> {
  for (const [name, bytes] of eachOf(exercised.samples.accepted)) {
    await withBench(exercised, async (bench) => {
      bench.intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
      const lines = await bench.send(bytes);
      expect(lines.length, name).toBeGreaterThan(0);
      for (const line of lines) expect(line.accepted, name).toBe(false);
      expect(unitsOf(bench)).toEqual([]);
      bench.intake.beforeSubmit = async () => {};
      for (const line of await bench.send(bytes)) expect(line.accepted, name).toBe(true);
    });
  }
}

async function tellsTheJournalsRefusal(exercised: Exercised): Promise<void> {
  for (const [name, bytes] of eachOf(exercised.samples.accepted)) {
    await withBench(exercised, async (bench) => {
      bench.intake.refusal = { accepted: false, code: "UNIT_TOO_LARGE" };
      const lines = await bench.send(bytes);
      expect(lines.length, name).toBeGreaterThan(0);
      for (const line of lines) expect(line.accepted, name).toBe(false);
    });
  }
}

/** What `validate` says without a log, a vault or a database is what a partner is told with them. */
async function rehearses(exercised: Exercised): Promise<void> {
  const { connector, root, samples } = exercised;
  const shown = (lines: readonly SendLine[]) => lines.map(({ ms: _, ...line }) => line);
  for (const [name, bytes] of [...samples.accepted, ...samples.rejected]) {
    let earnest: unknown;
    await withBench(exercised, async (bench) => {
      earnest = shown(await bench.send(bytes));
    });
    const intake = dryIntake(connector, readSettings({}).INTAKE_UNIT_LIMIT);
    const left = await filesLeft(async () => {
      const receiver = await openRehearsal(connector, { intake, profiles: loadProfiles(connector, false, root) });
      try {
        expect(shown(await sendTo(connector, receiver.addresses, bytes)), name).toEqual(earnest);
      } finally {
        await receiver.close();
      }
    });
    expect(intake.events.size > 0, `${name} would make events`).toBe(samples.accepted.has(name));
    expect(left, "files left behind").toEqual([]);
  }
}

/** What is left in a folder for temporary files that is there for this alone. */
async function filesLeft(work: () => Promise<void>): Promise<string[]> {
  const { TMPDIR } = process.env;
  const folder = mkdtempSync(join(tmpdir(), "tributary-law-"));
  process.env.TMPDIR = folder;
  try {
    await work();
    return readdirSync(folder);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes that are nobody's protocol, the same in every run. */
const noise = [
  Buffer.alloc(0),
  Buffer.from("\0"),
  Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167 + (index >> 3)) & 0xff)),
];

async function outlivesNoise(exercised: Exercised): Promise<void> {
  await withBench(exercised, async (bench) => {
    for (const bytes of noise) {
      const lines = await bench.send(bytes).catch((error: unknown) => expectCoded(error));
      for (const line of lines ?? []) expect(line.accepted).toBe(false);
    }
    expect(unitsOf(bench).filter(({ verdict }) => verdict.accepted)).toEqual([]);
    for (const bytes of exercised.samples.accepted.values()) {
      for (const line of await bench.send(bytes)) expect(line.accepted).toBe(true);
    }
  });
}

function expectCoded(error: unknown): undefined {
  expect(error).toBeInstanceOf(TributaryError);
}

async function closesCleanly(exercised: Exercised): Promise<void> {
  const [bytes = Buffer.alloc(0)] = eachOf(exercised.samples.accepted).values();
  const bench = await startConnectorBench(exercised.connector, exercised.root);
  const waiting: (() => void)[] = [];
  const submitted = new Promise<void>((resolve) => {
    bench.intake.beforeSubmit = () => {
      resolve();
      return new Promise((open) => waiting.push(open));
    };
  });
  const sent = bench.send(bytes);
  await submitted;
  const closed = bench.close();
  bench.intake.beforeSubmit = async () => {};
  for (const open of waiting) open();
  expect((await sent)[0]).toMatchObject({ accepted: true });
  const late = new Promise<string>((resolve) => setTimeout(() => resolve("still open"), closingMilliseconds).unref());
  expect(await Promise.race([closed.then(() => "closed"), late])).toBe("closed");
  await expect(sendTo(exercised.connector, bench.receiver.addresses, bytes)).rejects.toBeInstanceOf(TributaryError);
}

async function tellsThatNobodyListens(exercised: Exercised): Promise<void> {
  const [bytes = Buffer.alloc(0)] = eachOf(exercised.samples.accepted).values();
  const bench = await startConnectorBench(exercised.connector, exercised.root);
  const { addresses } = bench.receiver;
  await bench.close();
  for (const nowhere of [addresses, []]) {
    const error = await sendTo(exercised.connector, nowhere, bytes).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expectCoded(error);
    expect((error as TributaryError).definition.retriable).toBe(true);
  }
}
