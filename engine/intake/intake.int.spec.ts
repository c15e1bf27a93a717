import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EventTypes } from "../../schemas/events.generated.js";
import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import { standaloneCodec } from "../log/codec.js";
import type { LogProducer } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import { TributaryError } from "../service/errors.js";
import { openPool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import { type DataKey, keyText } from "../vault/data-key.js";
import { sealedEventOpener } from "../vault/sealed-event-opener.js";
import { openUnit } from "../vault/sealed-unit.js";
import { openVault, type Vault } from "../vault/vault.js";
import type { EventDraft, ReceivedUnit } from "./connector.js";
import { type IntakeOptions, type OpenIntake, openIntake } from "./intake.js";

const secret = "5e".repeat(32);
const kek = "ab".repeat(32);
const codec = standaloneCodec();
let database: FreshDatabase;
let vault: Vault;
let log: MemoryLog;

beforeAll(async () => {
  database = await freshDatabase();
  vault = openVault({ pool: database.pool, kek });
});
afterAll(async () => {
  vault?.close();
  await database?.drop();
});
beforeEach(() => {
  log = memoryLog({ partitions: 1 });
});

async function intakeOf(options: Partial<IntakeOptions> = {}): Promise<OpenIntake> {
  return openIntake({
    connector: { name: "hl7v2", version: "1" },
    producer: await log.producer(),
    codec,
    vault,
    pool: database.pool,
    secret,
    now: () => 1_700_000_000_000,
    ...options,
  });
}

const patient = randomUUID();
const registered = (familyName: string): EventDraft => ({
  type: "PatientRegistered",
  subject: patient,
  time: 1_600_000_000_000,
  fields: { facility: "HOSP", sex: "F" },
  sealed: { familyName },
  sealFor: patient,
});
const unit = (text: string, more: Partial<ReceivedUnit> = {}): ReceivedUnit => ({
  entry: "UNIT",
  partner: "mercy",
  feed: "mercy/HOSP",
  format: "ADT^A01",
  bytes: Buffer.from(text),
  verdict: { accepted: true },
  answer: (verdict) => (verdict.accepted ? "AA" : `AE ${verdict.code}`),
  controlId: { scope: ["HOSP"], value: "MSG-1" },
  identity: { rule: "EVERY", parts: ["mercy", Buffer.from(text)] },
  sealFor: [patient],
  events: [],
  ...more,
});

const journal = (): JournalEntry[] =>
  log.records(journalTopic, 0).map(({ value }) => codec.decodeEntry(value as Buffer));
async function opened(entry: JournalEntry): Promise<{ bytes: Buffer; controlId: string | null }> {
  const keys = await vault.openKeys(entry.sealedFor);
  return openUnit(
    entry.receiptId,
    entry.sealedFor.map((name) => keys.get(keyText(name)) as DataKey),
    entry.sealedUnit,
  );
}

describe("submit", () => {
  it("puts bytes, verdict and events of a unit into one record, and nothing personal in the clear", async () => {
    const intake = await intakeOf();
    const [submitted] = await intake.submit([unit("MSH|secret text\r", { events: [registered("Doe-Secret")] })]);
    const [entry] = journal() as [JournalEntry];
    expect(submitted).toEqual({ verdict: { accepted: true }, receiptId: entry.receiptId });
    expect(entry).toMatchObject({
      entry: "UNIT",
      partner: "mercy",
      connector: "hl7v2",
      connectorVersion: "1",
      receivedAt: 1_700_000_000_000,
      accepted: true,
      answer: "AA",
      resend: "EVERY",
      size: 16,
      sealedFor: [{ subject: patient, generation: 1 }],
    });
    const raw = log.records(journalTopic, 0)[0];
    expect(raw?.key).toBe("mercy/HOSP");
    for (const personal of ["secret text", "Doe-Secret", "MSG-1"]) expect(raw?.value?.includes(personal)).toBe(false);
    expect(await opened(entry)).toEqual({ bytes: Buffer.from("MSH|secret text\r"), controlId: "MSG-1" });

    const [event] = entry.events as [JournalEntry["events"][number]];
    expect(event).toMatchObject({ topic: "health.patient.events", key: patient, type: "PatientRegistered" });
    const decoded = codec.decodeEvent(event.value);
    const { meta, sealed } = decoded.event as EventTypes["PatientRegistered"] & { sealed: Buffer };
    expect(meta).toMatchObject({ id: event.id, source: "mercy", subject: patient, causationId: entry.receiptId });
    const opener = sealedEventOpener({ pool: database.pool, kek });
    const [inside] = await opener.open([{ type: event.type, eventId: event.id, sealed }]);
    opener.close();
    expect(codec.decodeSealed("PatientRegistered", inside as Buffer)).toMatchObject({ familyName: "Doe-Secret" });
  });

  it("hashes the same content alike, whatever the reception, and keeps a rejected unit out of the ledger", async () => {
    const intake = await intakeOf();
    const rejected = { accepted: false, code: "PID_MISSING", location: "PID" } as const;
    await intake.submit([unit("A"), unit("A"), unit("B"), unit("A", { verdict: rejected, events: [registered("x")] })]);
    const [first, second, third, fourth] = journal() as [JournalEntry, JournalEntry, JournalEntry, JournalEntry];
    expect(second.identity).toEqual(first.identity);
    expect(second.contentHash).toEqual(first.contentHash);
    expect(second.receiptId).not.toBe(first.receiptId);
    expect(third.identity).not.toEqual(first.identity);
    expect(third.controlKey).toEqual(first.controlKey);
    expect(fourth).toMatchObject({ accepted: false, code: "PID_MISSING", location: "PID", answer: "AE PID_MISSING" });
    expect([fourth.identity, fourth.events]).toEqual([null, []]);
    expect(first.contentHash.equals(createHash("sha256").update("A").digest())).toBe(false);
  });

  it("seals a unit of nobody under a key of the reception, one key a transmission", async () => {
    const intake = await intakeOf();
    const transmissionId = intake.newReceiptId();
    const transport = (ordinal: number) => ({ transmissionId, ordinal, byteOffset: ordinal });
    await intake.submit([
      unit("ISA", { entry: "ENVELOPE", sealFor: [], transport: transport(0) }),
      unit("IEA", { entry: "ENVELOPE", sealFor: [], transport: transport(1) }),
      unit("garbage", { sealFor: [] }),
    ]);
    const [head, tail, alone] = journal() as [JournalEntry, JournalEntry, JournalEntry];
    expect([head.sealedFor[0]?.subject, tail.sealedFor[0]?.subject]).toEqual([transmissionId, transmissionId]);
    expect(alone.sealedFor[0]?.subject).toBe(alone.receiptId);
    expect((await opened(tail)).bytes.toString()).toBe("IEA");
  });

  it("rejects a unit with an event that doesn't fit, naming event and field, and keeps its bytes", async () => {
    const intake = await intakeOf();
    const bad = {
      ...registered("x"),
      fields: { facility: "HOSP", birthYear: "1980" as unknown as number },
    } as EventDraft;
    expect(intake.check(unit("A", { events: [bad] }))).toMatchObject({ accepted: false, code: "EVENT_INVALID" });
    const [submitted, beside] = await intake.submit([unit("A", { events: [registered("x"), bad] }), unit("B")]);
    expect(submitted?.verdict).toEqual({
      accepted: false,
      code: "EVENT_INVALID",
      location: "PatientRegistered.birthYear",
    });
    expect(beside?.verdict).toEqual({ accepted: true });
    const [entry] = journal() as [JournalEntry];
    expect(entry).toMatchObject({ accepted: false, answer: "AE EVENT_INVALID", events: [], identity: null });
    expect((await opened(entry)).bytes.toString()).toBe("A");
  });

  it("rejects what is over the limits, with hash and size of the whole", async () => {
    const intake = await intakeOf({ unitLimit: 100_000, eventLimit: 2_000 });
    const whole = "x".repeat(99_000);
    const [fits, giant, event, together] = await intake.submit([
      unit("y".repeat(90_000)),
      unit("z".repeat(200_000)),
      unit("A", { events: [registered("n".repeat(3_000))] }),
      unit(whole, { events: Array.from({ length: 10 }, () => registered("n".repeat(1_000))) }),
    ]);
    expect(fits?.verdict.accepted).toBe(true);
    expect([giant, event, together].map((one) => one?.verdict)).toEqual([
      { accepted: false, code: "UNIT_TOO_LARGE" },
      { accepted: false, code: "EVENT_TOO_LARGE", location: "PatientRegistered" },
      { accepted: false, code: "UNIT_TOO_LARGE" },
    ]);
    const entries = journal();
    expect(entries[1]).toMatchObject({ flags: ["UNIT_TRUNCATED"], size: 200_000 });
    expect((await opened(entries[1] as JournalEntry)).bytes.toString()).toBe("z".repeat(65_536));
    expect(entries[3]).toMatchObject({ flags: [], size: 99_000, events: [] });
    expect((await opened(entries[3] as JournalEntry)).bytes.toString()).toBe(whole);
    for (const { value } of log.records(journalTopic, 0)) expect(value?.length).toBeLessThan(100_000);
    expect(intake.check(unit("z".repeat(200_000)))).toEqual({ accepted: false, code: "UNIT_TOO_LARGE" });
    expect(intake.check(unit("A"))).toEqual({ accepted: true });
  });

  it("keeps the order of submission, over many calls at once", async () => {
    const intake = await intakeOf();
    await Promise.all(Array.from({ length: 200 }, (_, index) => intake.submit([unit(`unit ${index}`)])));
    const texts: string[] = [];
    for (const entry of journal()) texts.push((await opened(entry)).bytes.toString());
    expect(texts).toEqual(Array.from({ length: 200 }, (_, index) => `unit ${index}`));
  });

  it("says so in time when log or vault can't be reached, and accepts nothing", async () => {
    const never: LogProducer = { append: () => new Promise(() => {}), close: async () => {} };
    const deaf = await intakeOf({ producer: never, timeLimit: 50 });
    await expect(deaf.submit([unit("A")])).rejects.toMatchObject({ code: "TRIB_INTAKE_UNAVAILABLE" });

    const down: LogProducer = {
      append: () => Promise.reject(new TributaryError("TRIB_LOG_UNAVAILABLE")),
      close: async () => {},
    };
    await expect((await intakeOf({ producer: down })).submit([unit("A")])).rejects.toMatchObject({
      code: "TRIB_INTAKE_UNAVAILABLE",
      facts: { reason: "TRIB_LOG_UNAVAILABLE" },
    });

    const pool = openPool("postgres://nobody@127.0.0.1:1/none", { applicationName: "spec" });
    const lost = openVault({ pool, kek });
    const intake = await intakeOf({ vault: lost, pool });
    await expect(intake.submit([unit("A")])).rejects.toMatchObject({ code: "TRIB_INTAKE_UNAVAILABLE" });
    await expect(intake.known([{ rule: "EVERY", parts: ["x"] }])).rejects.toMatchObject({
      code: "TRIB_INTAKE_UNAVAILABLE",
    });
    lost.close();
    expect(log.records(journalTopic, 0)).toEqual([]);
  });

  it("one unit that can't be made doesn't take others with it", async () => {
    const intake = await intakeOf();
    const broken = unit("A", {
      answer: () => {
        throw new RangeError("a mistake in a connector");
      },
    });
    const [bad, good] = await Promise.allSettled([intake.submit([broken]), intake.submit([unit("B")])]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "TRIB_SERVICE_UNEXPECTED" } });
    expect(good?.status).toBe("fulfilled");
  });
});
