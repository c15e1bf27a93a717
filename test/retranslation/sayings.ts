import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { type RetranslateOptions, type Translator, untoldTime } from "../../engine/intake/retranslate.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { erasePatient } from "../../engine/vault/erase.js";
import timeline from "../../projections/timeline/projection.js";
import type { Region } from "../region.js";

export const january = Date.UTC(2026, 0, 10);
export const february = Date.UTC(2026, 1, 10);

/** What a message says, as its bytes: visit, kind, time, location. */
export type Said = readonly [
  visit: string,
  kind: "start" | "move" | "nothing" | "both",
  time: number,
  location: string,
];
/** What a translation makes of it: whose visit it is of, and what it tells of where the patient is. */
interface Reading {
  readonly location: (said: Said) => string;
  readonly patient?: string;
  readonly time?: number;
}

/** Translations of the same messages: the first puts the location wrong. */
export const translations = {
  wrong: { location: ([, , , location]) => `WRONG ${location}` },
  right: { location: ([, , , location]) => location },
} satisfies Record<string, Reading>;
/** As of a sender that gives no times. */
export const untold: Reading = { ...translations.right, time: untoldTime };
/** One that takes every visit for one patient's. */
export const takenFor = (patient: string): Reading => ({ ...translations.right, patient });

/** Messages about visits, and translations of them, in a region that is there once a test runs. */
export function sayings(region: () => Region) {
  const visitOf = (name: string) => region().intake.surrogate("visit", "NORTH", "VN", name);
  const patientOf = (name: string) => region().intake.surrogate("patient", "NORTH", "MR", name);

  function events(said: Said, reading: Reading): readonly EventDraft[] {
    const [visit, kind, told, location] = said;
    const { patient = visit, time = told } = reading;
    const read = reading.location(said);
    const fields = { facility: "NORTH", authority: "NORTH", patientId: patientOf(patient), class: "I", location: read };
    const shared = { time, sealed: { visitNumber: `V ${visit}` }, sealFor: patientOf(patient) };
    const start: EventDraft = {
      ...{ type: "VisitStarted", subject: visitOf(visit), ...shared },
      fields: { ...fields, admission: "ADMITTED" },
    };
    const move: EventDraft = { type: "VisitTransferred", subject: visitOf(visit), ...shared, fields };
    if (kind === "start") return [start];
    if (kind === "move") return [move];
    // A message that was read as being about a visit, and is not; and one that was about two.
    const other = { ...move, subject: visitOf(`${visit} other`) };
    if (kind === "both") return read === location ? [move, other] : [move];
    return read === location ? [] : [move];
  }

  function unitOf(said: Said, reading: Reading): ReceivedUnit {
    const bytes = Buffer.from(JSON.stringify(said));
    return {
      entry: "UNIT",
      partner: "north",
      feed: "north|NORTH",
      format: "ADT",
      bytes,
      verdict: { accepted: true },
      answer: () => "AA",
      identity: { rule: "EVERY", parts: ["north", bytes] },
      sealFor: [patientOf(reading.patient ?? said[0])],
      events: events(said, reading),
    };
  }

  const translator = (reading: Reading): Translator => ({
    version: "2",
    translate: async (_partner, bytes) => [unitOf(JSON.parse(bytes.toString()) as Said, reading)],
  });

  const options = (changes: Partial<RetranslateOptions> = {}): RetranslateOptions => ({
    log: region().kafka.log,
    pool: region().database.pool,
    codec: region().kafka.codec,
    vault: region().vault,
    journal: region().kafka.journal,
    secret: region().secret,
    translator: async () => translator(translations.right),
    filter: {},
    reason: "the location was read wrong",
    dryRun: false,
    ...changes,
  });

  const erase = (name: string) => {
    const { kafka, database, secret, forgottenAfter } = region();
    return erasePatient(
      { log: kafka.log, codec: kafka.codec, pool: database.pool, secret, forgottenAfter, timeline, timeout: 30_000 },
      { patient: patientOf(name), reason: "asked for", actor: "officer" },
    );
  };
  /** How many the journal has. */
  const entries = async () =>
    (await region().kafka.log.watermarks(journalTopic)).reduce((sum, { high }) => sum + high, 0);

  return { visitOf, patientOf, unitOf, translator, options, erase, entries };
}
