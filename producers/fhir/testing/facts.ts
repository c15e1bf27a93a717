import { createHash } from "node:crypto";
import type { EventDraft, ReceivedUnit } from "../../../engine/intake/connector.js";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";

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
function patientNames(known: Iterable<string>): ReadonlyMap<string, string> {
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

/** Our facts of some units, by the names of the expected ones. */
export function factsOf(units: readonly ReceivedUnit[], patientIds: Iterable<string>): Record<string, unknown> {
  const events = units.flatMap((unit) => unit.events);
  const names = patientNames(patientIds);
  const decided = (format: string) =>
    all(
      units.filter((unit) => unit.format === format).flatMap((unit) => unit.events),
      "ClaimAdjudicated",
    );
  return {
    resources: units.length,
    by_type: counts(units.map(({ format }) => format)),
    rejected: units.filter(({ verdict }) => !verdict.accepted).length,
    ...patientFacts(events),
    ...encounterFacts(events, names),
    ...claimFacts(events, names),
    ...decisionFacts("eobs", decided("ExplanationOfBenefit"), names),
    ...decisionFacts("claim_responses", decided("ClaimResponse"), names),
  };
}

type Names = ReadonlyMap<string, string>;
const sum = (amounts: readonly number[]) => money(amounts.reduce((total, amount) => total + amount, 0));
const genders: Readonly<Record<string, string>> = { M: "male", F: "female", O: "other", U: "unknown" };

function patientFacts(events: readonly EventDraft[]): Record<string, unknown> {
  const told = all(events, "PatientRegistered", "PatientUpdated").filter(
    ({ sealed }) => sealed?.familyName !== undefined,
  );
  // A patient sent several times is one: the last counts.
  const patients = [...new Map(told.map((event) => [event.subject, event])).values()];
  const identifiers = patients.flatMap(({ fields, sealed }) =>
    (fields.identifiers ?? []).flatMap(({ authority, type }, index) =>
      type === "RI" ? [] : [`${authority.replace(/^@generic$/, "")}\t${sealed?.identifierValues?.[index]}`],
    ),
  );
  return {
    "patients.count": patients.length,
    "patients.identifiers": listing(identifiers),
    "patients.by_gender": counts(patients.map(({ fields }) => genders[fields.sex ?? ""] ?? "?")),
    "patients.deceased": patients.filter(({ fields }) => fields.deceased === true).length,
  };
}

function encounterFacts(events: readonly EventDraft[], names: Names): Record<string, unknown> {
  const starts = all(events, "VisitStarted");
  const ended = new Set(all(events, "VisitEnded").map(({ subject }) => subject));
  const statusOf = ({ subject }: EventDraft) => (ended.has(subject) ? "finished" : "in-progress");
  const lines = starts.map((event) => {
    const patient = names.get(event.fields.patientId ?? "") ?? "";
    return `${event.sealed?.visitNumber}\t${statusOf(event)}\t${event.fields.class}\t${patient}`;
  });
  return {
    "encounters.count": starts.length,
    "encounters.by_status": counts(starts.map(statusOf)),
    "encounters.by_class": counts(starts.map(({ fields }) => fields.class ?? "?")),
    "encounters.listing_sha256": listing(lines).sha256,
  };
}

function claimFacts(events: readonly EventDraft[], names: Names): Record<string, unknown> {
  const claims = all(events, "ClaimSubmitted");
  const lines = claims.map(({ fields, sealed }) => {
    const patient = names.get(fields.patientId ?? "") ?? "";
    return `${sealed?.patientControlNumber}\tactive\t${money(fields.billedAmount)}\t${patient}`;
  });
  const billed = claims.map(({ fields }) => [fields.patientId ?? null, fields.billedAmount] as const);
  return {
    "claims.count": claims.length,
    "claims.total_billed": sum(claims.map(({ fields }) => fields.billedAmount)),
    "claims.items": claims.reduce((items, { fields }) => items + (fields.lines?.length ?? 0), 0),
    "claims.billed_per_patient_sha256": perPatient(billed, names),
    "claims.listing_sha256": listing(lines).sha256,
  };
}

function decisionFacts(
  name: string,
  decisions: readonly Of<"ClaimAdjudicated">[],
  names: Names,
): Record<string, unknown> {
  const paid = decisions.map(({ fields }) => [fields.patientId ?? null, fields.paidAmount] as const);
  return {
    [`${name}.count`]: decisions.length,
    [`${name}.payments`]: sum(decisions.map(({ fields }) => fields.paidAmount)),
    [`${name}.payment_per_patient_sha256`]: perPatient(paid, names),
  };
}

/** Expected facts, as far as they are compared. */
export interface StatedFacts {
  readonly resources: number;
  readonly by_type: Readonly<Record<string, number>>;
  readonly patients?: {
    readonly count: number;
    readonly identifiers: { readonly count: number; readonly sha256: string };
    readonly by_gender: Readonly<Record<string, number>>;
    readonly deceased: number;
  };
  readonly encounters?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly eobs?: Readonly<Record<string, unknown>>;
  readonly claim_responses?: Readonly<Record<string, unknown>>;
}

/** Facts one by one, named by their path; those of what only a reader of JSON can tell are left out. */
export function expectedFacts(stated: StatedFacts): Record<string, unknown> {
  const { patients, encounters = {}, claims = {}, eobs = {} } = stated;
  const found: Record<string, unknown> = {
    resources: stated.resources,
    by_type: stated.by_type,
    rejected: 0,
    ...(patients && {
      "patients.count": patients.count,
      "patients.identifiers": { count: patients.identifiers.count, sha256: patients.identifiers.sha256 },
      "patients.by_gender": patients.by_gender,
      "patients.deceased": patients.deceased,
    }),
  };
  const compared: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
    ["encounters", encounters, ["count", "by_status", "by_class", "listing_sha256"]],
    ["claims", claims, ["count", "total_billed", "items", "billed_per_patient_sha256", "listing_sha256"]],
    ["eobs", eobs, ["count", "payments", "payment_per_patient_sha256"]],
    ["claim_responses", stated.claim_responses ?? {}, ["count", "payments"]],
  ];
  for (const [name, of, facts] of compared)
    for (const fact of facts) if (of[fact] !== undefined) found[`${name}.${fact}`] = of[fact];
  return found;
}
