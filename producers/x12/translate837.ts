import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import { readCurrency } from "../../engine/intake/currency.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { type ClaimContext, providerId, readContext } from "./claim-context.js";
import { instantOf } from "./clock.js";
import { currencyOf, isOtherCurrency, OTHER_CURRENCY } from "./currency.js";
import { cents } from "./element.js";
import { dependentId, subscriberId } from "./people.js";
import { decodeText } from "./profile.js";
import { type ClaimLine, daysOf, lineOf, readLine } from "./service-line.js";
import { payerControlNumberHash, payerId, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";
import { transmissionOf } from "./transmission.js";

/** Code list qualifiers (element 1270) of diagnoses; HI also carries procedures, occurrences, values and conditions. */
const DIAGNOSES = new Set(["ABK", "BK", "ABF", "BF", "ABJ", "BJ", "APR", "PR", "ABN", "BN"]);

type ClaimFields = EventInputs["ClaimSubmitted"];

interface ClaimBody {
  readonly number: string;
  readonly charge: number;
  readonly facility: string;
  readonly frequency: string;
  payerControlNumber: string;
  /** CUR02, which a claim has in older guides only. */
  currency: string;
  serviceDate: string;
  readonly diagnoses: { readonly qualifier: string; readonly code: string }[];
  readonly lines: ClaimLine[];
}

/** An 837 slice, read: the context after it, and what it says when it holds a claim. */
export interface ClaimReading {
  readonly context: ClaimContext;
  readonly translation: Translation | null;
}

/**
 * Translates the heading, a subscriber or a claim of an 837 (005010X222, X223, X224 and their 4010 forms). Pure.
 * @param context what the set has said before.
 */
export function translate837(
  segments: readonly Segment[],
  context: ClaimContext,
  surroundings: Surroundings,
): ClaimReading {
  let now = context;
  let claim: ClaimBody | null = null;
  let otherPayer = false;
  let subscriberHere = false;
  for (const segment of segments) {
    if (segment.id === "CLM" && claim === null) claim = claimOf(segment);
    else if (claim === null) {
      now = readContext(now, segment, surroundings.profile);
      if (segment.id === "HL" && segment.elements[3] === "22") subscriberHere = true;
    } else otherPayer = readClaim(claim, segment, otherPayer);
  }
  if (claim === null) return { context: now, translation: subscriberOnly(now, surroundings, subscriberHere) };
  return { context: now, translation: claimTranslation(claim, now, surroundings, subscriberHere) };
}

function components(segment: Segment, at: number): string[] {
  return (segment.elements[at] ?? "").split(String.fromCharCode(segment.delimiters.component));
}

function claimOf(segment: Segment): ClaimBody {
  const place = components(segment, 5);
  return {
    number: (segment.elements[1] ?? "").trim(),
    charge: cents(segment.elements[2]) ?? 0,
    facility: place[0] ?? "",
    frequency: place[2] ?? "",
    payerControlNumber: "",
    currency: "",
    serviceDate: "",
    diagnoses: [],
    lines: [],
  };
}

/** Reads a segment inside a claim. @returns whether we are inside another payer's loop, whose facts are not the claim's. */
function readClaim(claim: ClaimBody, segment: Segment, otherPayer: boolean): boolean {
  if (segment.id === "SBR") return true;
  if (segment.id === "LX") {
    claim.lines.push(lineOf(segment, claim.lines.length + 1));
    return false;
  }
  if (otherPayer) return true;
  const line = claim.lines.at(-1);
  if (line) readLine(line, segment);
  else if (segment.id === "REF" && segment.elements[1] === "F8") {
    claim.payerControlNumber = (segment.elements[2] ?? "").trim();
  } else if (segment.id === "CUR") claim.currency = readCurrency(segment.elements[2]);
  else if (segment.id === "DTP" && segment.elements[1] === "472") claim.serviceDate = segment.elements[3] ?? "";
  else if (segment.id === "HI") readDiagnoses(claim, segment);
  return false;
}

function readDiagnoses(claim: ClaimBody, segment: Segment): void {
  for (let at = 1; at < segment.elements.length; at += 1) {
    const [qualifier, code] = components(segment, at);
    if (qualifier && code && DIAGNOSES.has(qualifier)) claim.diagnoses.push({ qualifier, code });
  }
}

/** A subscriber without a claim beside it has no facts of ours, but its bytes are a person's. */
function subscriberOnly(context: ClaimContext, surroundings: Surroundings, here: boolean): Translation | null {
  const payer = payerId(surroundings.profile, context.payer, surroundings.interchange.receiver);
  const id = here ? subscriberId(surroundings.surrogate, payer, context.subscriber) : null;
  return id === null ? null : { events: [], flags: [], sealFor: [id], number: "" };
}

function claimTranslation(
  claim: ClaimBody,
  context: ClaimContext,
  surroundings: Surroundings,
  subscriberHere: boolean,
): Translation {
  const { profile, surrogate, interchange } = surroundings;
  const named = providerId(context.provider);
  // A provider that nothing names is another one with every submitter: its numbers are no other provider's.
  const provider = named || `@${interchange.sender}`;
  const claimId = surrogate("claim", provider, "", claim.number);
  const payer = payerId(profile, context.payer, interchange.receiver);
  const subscriber = subscriberId(surrogate, payer, context.subscriber);
  const patient = context.dependent ? dependentId(surrogate, payer, context.subscriber, context.dependent) : subscriber;
  const owner = patient ?? claimId;
  const flags = flagsOf(claim, named, patient);
  const namedCurrency = claim.currency || context.currency;
  if (isOtherCurrency(namedCurrency, profile)) flags.push(OTHER_CURRENCY);
  const sealFor = subscriberHere && subscriber && subscriber !== owner ? [subscriber, owner] : [owner];
  if (flags.includes("MISSING_PAYER_CONTROL_NUMBER")) return { events: [], flags, sealFor, number: claim.number };

  const facts = fieldsOf(claim, context, surroundings, provider, payer, patient);
  const transmission = transmissionOf(surroundings, context.reference, named);
  // Beside the hash, as the way it travelled: so a claim told before currencies were is the same when it comes again.
  const currency = currencyOf(namedCurrency, profile);
  const fields: ClaimFields = { ...facts, contentHash: contentHash(facts), currency, transmission, flags };
  const submitted = instantOf(context.date, context.time, profile.timeZone) ?? { time: 0, precision: "DAY" as const };
  const person = context.dependent ?? context.subscriber;
  const text = (value: string): string | null => (value === "" ? null : decodeText(profile, value));
  const draft = {
    subject: claimId,
    time: submitted.time,
    timePrecision: submitted.precision,
    fields,
    sealed: {
      patientControlNumber: text(claim.number),
      payerControlNumber: text(claim.payerControlNumber),
      memberId: context.subscriber?.memberId || null,
      patientName: person?.name ?? null,
      subscriberName: context.subscriber?.name ?? null,
      birthDate: person?.birthDate ?? null,
    },
    sealFor: owner,
  };
  const type = claim.frequency === "7" ? "ClaimReplaced" : claim.frequency === "8" ? "ClaimVoided" : "ClaimSubmitted";
  return { events: [{ type, ...draft } satisfies EventDraft], flags, sealFor, number: claim.number };
}

function flagsOf(claim: ClaimBody, provider: string, patient: string | null): string[] {
  const flags: string[] = [];
  if ((claim.frequency === "7" || claim.frequency === "8") && claim.payerControlNumber === "") {
    flags.push("MISSING_PAYER_CONTROL_NUMBER");
  }
  // Many senders leave it out of a first submission; whether it is one, only they know.
  if (claim.frequency === "") flags.push("FREQUENCY_MISSING");
  if (claim.lines.reduce((sum, line) => sum + line.chargeAmount, 0) !== claim.charge) {
    flags.push("CHARGE_DIFFERS_FROM_LINES");
  }
  if (provider === "") flags.push("BILLING_PROVIDER_UNIDENTIFIED");
  if (patient === null) flags.push("PATIENT_UNIDENTIFIED");
  return flags;
}

function fieldsOf(
  claim: ClaimBody,
  context: ClaimContext,
  surroundings: Surroundings,
  provider: string,
  payer: string,
  patient: string | null,
): Omit<ClaimFields, "contentHash" | "currency" | "transmission" | "flags"> {
  // A dental line without a date of its own was served on the claim's (005010X224, 2300 DTP*472).
  const dental = surroundings.format === "837D";
  return {
    patientId: patient,
    visitId: null,
    payerId: payer,
    providerNpi: context.provider.npi,
    kind: kinds[surroundings.format] ?? "UNKNOWN",
    frequencyCode: claim.frequency,
    billedAmount: claim.charge,
    facilityCode: claim.facility === "" ? null : claim.facility,
    diagnoses: claim.diagnoses,
    lines: dental ? claim.lines.map((line) => datedBy(line, claim.serviceDate)) : claim.lines,
    payerControlNumberHash: payerControlNumberHash(surroundings.surrogate, provider, claim.payerControlNumber),
  };
}

const kinds: Readonly<Record<string, "PROFESSIONAL" | "INSTITUTIONAL" | "DENTAL">> = {
  "837P": "PROFESSIONAL",
  "837I": "INSTITUTIONAL",
  "837D": "DENTAL",
};

function datedBy(line: ClaimLine, date: string): ClaimLine {
  return line.serviceDate !== null || date === "" ? line : { ...line, ...daysOf(date) };
}
