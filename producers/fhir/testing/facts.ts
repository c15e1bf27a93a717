import { createHash } from "node:crypto";
import type { EventDraft, ReceivedUnit } from "../../../engine/intake/connector.js";
import { recordingIntake, testSurrogate } from "../../../engine/testing/recording-intake.js";
import { loadDefinitions } from "../definitions.js";
import { type Desk, receiveOne } from "../desk.js";
import { openBody } from "../open-body.js";
import { profileSchema } from "../profile.js";
import { receiveBundle } from "../receive-bundle.js";
import { receiveLines } from "../receive-lines.js";

/** A desk with the profile `generic`, whose units can be looked at. */
export function testDesk(profile: object = {}) {
  loadDefinitions();
  const intake = recordingIntake();
  const failures: unknown[] = [];
  const desk: Desk = {
    intake,
    profiles: new Map([["generic", profileSchema.parse(profile)]]),
    now: () => Date.UTC(2026, 0, 2),
    onFailure: (error) => failures.push(error),
  };
  return { desk, intake, failures };
}

/** Takes a file in, whatever it holds. @returns its units, without what surrounds them. */
export async function unitsOf(
  bytes: Buffer,
  lines: boolean,
  { desk, intake } = testDesk(),
): Promise<readonly ReceivedUnit[]> {
  const found = lines ? undefined : openBody(bytes);
  const before = intake.units.length;
  if (!found) await receiveLines([bytes], "generic", desk, 10_000_000);
  else if ("bundle" in found) await receiveBundle(bytes, found.bundle, "generic", desk);
  else await receiveOne(bytes, found.opened, { stored: true }, "generic", desk);
  return intake.units.slice(before).filter(({ entry }) => entry === "UNIT");
}

/** Count and hash of lines, as the expected facts have them. */
export function listing(lines: Iterable<string>): { readonly count: number; readonly sha256: string } {
  const points = (text: string) => Buffer.from(text, "utf8");
  const unique = [...new Set(lines)].sort((left, right) => points(left).compare(points(right)));
  const hash = createHash("sha256");
  for (const line of unique) hash.update(`${line}\n`);
  return { count: unique.length, sha256: hash.digest("hex") };
}

export function counts(values: Iterable<string>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const value of values) found[value] = (found[value] ?? 0) + 1;
  return Object.fromEntries(Object.entries(found).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const money = (cents: number): string => {
  const text = String(Math.abs(cents)).padStart(3, "0");
  return `${cents < 0 ? "-" : ""}${text.slice(0, -2)}.${text.slice(-2)}`;
};

type Of<Type extends EventDraft["type"]> = Extract<EventDraft, { readonly type: Type }>;

function all<Type extends EventDraft["type"]>(events: readonly EventDraft[], ...types: Type[]): Of<Type>[] {
  return events.filter((event): event is Of<Type> => (types as string[]).includes(event.type));
}

/** `Patient/1` of the surrogate ids that references in the samples give. */
function patientNames(events: readonly EventDraft[], known: Iterable<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const id of known) names.set(testSurrogate("patient", "generic", "RI", id), `Patient/${id}`);
  return names;
}

function perPatient(
  amounts: readonly (readonly [patient: string | null, cents: number])[],
  names: ReadonlyMap<string, string>,
) {
  const sums = new Map<string, number>();
  for (const [patient, cents] of amounts) {
    const name = names.get(patient ?? "") ?? "";
    sums.set(name, (sums.get(name) ?? 0) + cents);
  }
  return listing([...sums].map(([name, cents]) => `${name}\t${money(cents)}`)).sha256;
}

/** Our facts of some units, in the words of the expected ones. */
export function factsOf(units: readonly ReceivedUnit[], patientIds: Iterable<string>): Record<string, unknown> {
  const events = units.flatMap((unit) => unit.events);
  const names = patientNames(events, patientIds);
  const patients = all(events, "PatientRegistered", "PatientUpdated").filter(
    ({ sealed }) => sealed?.familyName !== undefined,
  );
  const starts = all(events, "VisitStarted");
  const ended = new Set(all(events, "VisitEnded").map(({ subject }) => subject));
  const claims = all(events, "ClaimSubmitted");
  const decisions = all(events, "ClaimAdjudicated");
  const sum = (amounts: readonly number[]) => money(amounts.reduce((total, amount) => total + amount, 0));
  const identifiers = patients.flatMap(({ fields, sealed }) =>
    (fields.identifiers ?? []).flatMap(({ authority, type }, index) =>
      type === "RI" ? [] : [`${authority.replace(/^@generic$/, "")}\t${sealed?.identifierValues?.[index]}`],
    ),
  );
  const genders: Readonly<Record<string, string>> = { M: "male", F: "female", O: "other", U: "unknown" };
  const statusOf = ({ subject }: EventDraft) => (ended.has(subject) ? "finished" : "in-progress");
  return {
    resources: units.length,
    by_type: counts(units.map(({ format }) => format)),
    rejected: units.filter(({ verdict }) => !verdict.accepted).length,
    patients: {
      count: patients.length,
      identifiers: listing(identifiers),
      by_gender: counts(patients.map(({ fields }) => genders[fields.sex ?? ""] ?? "?")),
      deceased: patients.filter(({ fields }) => fields.deceased === true).length,
    },
    encounters: {
      count: starts.length,
      by_status: counts(starts.map(statusOf)),
      by_class: counts(starts.map(({ fields }) => fields.class ?? "?")),
      listing_sha256: listing(
        starts.map(
          (event) =>
            `${event.sealed?.visitNumber}\t${statusOf(event)}\t${event.fields.class}\t${names.get(event.fields.patientId ?? "") ?? ""}`,
        ),
      ).sha256,
    },
    claims: {
      count: claims.length,
      total_billed: sum(claims.map(({ fields }) => fields.billedAmount)),
      items: claims.reduce((items, { fields }) => items + (fields.lines?.length ?? 0), 0),
      billed_per_patient_sha256: perPatient(
        claims.map(({ fields }) => [fields.patientId ?? null, fields.billedAmount]),
        names,
      ),
      listing_sha256: listing(
        claims.map(
          ({ fields, sealed }) =>
            `${sealed?.patientControlNumber}\tactive\t${money(fields.billedAmount)}\t${names.get(fields.patientId ?? "") ?? ""}`,
        ),
      ).sha256,
    },
    decisions: {
      count: decisions.length,
      payments: sum(decisions.map(({ fields }) => fields.paidAmount)),
      payment_per_patient_sha256: perPatient(
        decisions.map(({ fields }) => [fields.patientId ?? null, fields.paidAmount]),
        names,
      ),
    },
  };
}
