import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import { readCurrency } from "../../engine/intake/currency.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { dateOf } from "./datetime.js";
import { undoEscapes } from "./escape.js";
import type { Speaker, VisitIdentity } from "./identify.js";
import {
  component,
  type Message,
  NULL_VALUE,
  orNull,
  partOf,
  placeOf,
  repetitions,
  type Segment,
  segmentNamed,
  subcomponent,
  triggerOf,
} from "./message.js";
import type { Telling } from "./telling.js";
import { timeStamp } from "./time.js";
import type { Problem } from "./validate.js";

type Facts = Omit<EventInputs["ClaimSubmitted"], "contentHash" | "currency" | "flags">;
type Line = NonNullable<Facts["lines"]>[number];

/** Messages that may carry an account's charges. */
const charging = new Set(["DFT^P03", "DFT^P11", "BAR^P01", "BAR^P05"]);
/** FT1-6 (table 0017): a charge, and a credit, which lowers it. Payments and adjustments are the ledger's, not the claim's. */
const kinds: ReadonlySet<string> = new Set(["CG", "CD"]);

/** FT1 segments that are charges of a claim; none where the profile doesn't say that they are. */
function chargesOf(message: Message, { profile }: Speaker): readonly Segment[] {
  if (!profile.charges || !charging.has(`${component(message.header, 9, 1)}^${triggerOf(message)}`)) return [];
  return message.segments.filter((segment) => segment.name === "FT1" && kinds.has(component(segment, 6, 1)));
}

/** Amount in cents of a text with at most two places; undefined of any other. */
function centsOf(text: string): number | undefined {
  const [, sign, whole, fraction = ""] = /^([+-]?)(\d{1,12})(?:\.(\d\d?)?0*)?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const cents = Number(whole) * 100 + Number(fraction.padEnd(2, "0"));
  return sign === "-" && cents !== 0 ? -cents : cents;
}

/** FT1-11, the extended amount; else the unit's (FT1-12, FT1-22) as often as FT1-10 says. Undefined when that is no amount. */
function amountOf({ delimiters }: Message, ft1: Segment): number | undefined {
  const price = (field: number) => subcomponent(component(ft1, field, 1), 1, delimiters);
  if (price(11) !== "") return centsOf(price(11));
  const [unit, times] = [centsOf(price(12) || price(22)), component(ft1, 10, 1) || "1"];
  return unit === undefined || !/^\d{1,6}$/.test(times) ? undefined : unit * Number(times);
}

/** A credit lowers the claim, also where its sender has written the sign too. */
function chargeOf(message: Message, ft1: Segment): number {
  const amount = amountOf(message, ft1) ?? 0;
  return component(ft1, 6, 1) === "CD" && amount !== 0 ? -Math.abs(amount) : amount;
}

/** The field of an amount: the extended one, else the unit's. */
const amountField = (ft1: Segment): number => [11, 12].find((field) => component(ft1, field, 1) !== "") ?? 22;

/**
 * Currency that a charge names (MO.2, in the first component of CP); empty where it names none, `XXX` (ISO 4217: no
 * currency) for what is no code of one.
 */
function currencyOf({ delimiters }: Message, ft1: Segment): string {
  const named = subcomponent(component(ft1, amountField(ft1), 1), 2, delimiters);
  return named === NULL_VALUE ? "" : readCurrency(named);
}

/** Charges whose amount can't be read, or not be added to those before: a claim without them would be another. */
export function chargeProblems(message: Message, speaker: Speaker): Problem[] {
  let currency = "";
  for (const ft1 of chargesOf(message, speaker)) {
    const named = currencyOf(message, ft1);
    if (amountOf(message, ft1) === undefined || (named !== "" && currency !== "" && named !== currency))
      return [{ reason: "BAD_AMOUNT", place: placeOf(message, ft1, 11) }];
    currency ||= named;
  }
  return [];
}

const dayIn = (segment: Segment, field: number): string | null => {
  const stamp = timeStamp(segment, field);
  const day = stamp === undefined ? "" : dateOf(stamp);
  return day.length === 10 ? day : null;
};

function lineOf(message: Message, ft1: Segment, lineNumber: number): Line {
  const text = (field: number, part = 1) => undoEscapes(orNull(component(ft1, field, part)) ?? "", message.delimiters);
  // FT1-4 may be a range (DR) since v2.7.
  const end = component(ft1, 4, 2);
  return {
    lineNumber,
    procedureQualifier: text(25) === "" ? null : "HC",
    procedureCode: text(25) || text(7) || null,
    modifiers: repetitions(ft1, 26)
      .map((one) => partOf(one, 1))
      .filter((one) => one !== "" && one !== NULL_VALUE),
    revenueCode: null,
    chargeAmount: chargeOf(message, ft1),
    units: text(10) || null,
    serviceDate: dayIn(ft1, 4),
    serviceDateEnd: /^\d{8}/.test(end) ? `${end.slice(0, 4)}-${end.slice(4, 6)}-${end.slice(6, 8)}` : null,
  };
}

/** DG1-3 in order, as X12 qualifies them: the first is the principal one. */
function diagnosesOf(message: Message): Facts["diagnoses"] {
  const codes = message.segments
    .filter(({ name }) => name === "DG1")
    .map((dg1) => ({
      code: component(dg1, 3, 1).replaceAll(".", ""),
      system: component(dg1, 3, 3) || component(dg1, 2, 1),
    }))
    .filter(({ code }) => code !== "" && code !== NULL_VALUE);
  return codes.map(({ code, system }, index) => {
    const old = /^(?:I9|ICD-?9)/i.test(system);
    const qualifier = index === 0 ? (old ? "BK" : "ABK") : old ? "BF" : "ABF";
    return { qualifier, code };
  });
}

/** What a message tells of a claim. */
export interface ChargeMeaning {
  readonly events: readonly EventDraft[];
  readonly flags: readonly string[];
}

/**
 * The claim of a message whose charges are all of its account's, where the profile says so and which field the billing
 * system writes into CLM01: the same claim as that of an 837, and each message tells it anew.
 */
export function claimEvents(
  { message, speaker, time, flags }: Telling,
  patientId: string | null,
  visit: VisitIdentity | undefined,
): ChargeMeaning {
  const { charges } = speaker.profile;
  const billed = chargesOf(message, speaker);
  if (!charges || billed.length === 0) return { events: [], flags: [] };
  const value = (name: string, field: number) =>
    undoEscapes(orNull(component(segmentNamed(message, name), field, 1)) ?? "", message.delimiters);
  const [segment = "", field = ""] = charges.claim.split("-");
  const number = value(segment, Number(field));
  if (number === "") return { events: [], flags: ["CLAIM_UNIDENTIFIED"] };
  const lines = billed.map((ft1, index) => lineOf(message, ft1, index + 1));
  const facts: Facts = {
    patientId,
    visitId: visit?.id ?? null,
    payerId: value("IN1", 3),
    providerNpi: /^\d{10}$/.test(charges.provider) ? charges.provider : null,
    kind: charges.kind,
    frequencyCode: "1",
    billedAmount: lines.reduce((sum, { chargeAmount }) => sum + chargeAmount, 0),
    facilityCode: null,
    diagnoses: diagnosesOf(message),
    lines,
    payerControlNumberHash: null,
    transmission: null,
  };
  const subject = speaker.surrogate("claim", charges.provider, "", number);
  const currency = billed.map((ft1) => currencyOf(message, ft1)).find((named) => named !== "");
  const own = currency !== undefined && currency !== charges.currency ? ["OTHER_CURRENCY"] : [];
  const claim: EventDraft = {
    ...{ type: "ClaimSubmitted", subject, ...time },
    fields: { ...facts, contentHash: contentHash(facts), currency: currency ?? null, flags: [...flags, ...own] },
    sealed: {
      patientControlNumber: number,
      payerControlNumber: null,
      memberId: value("IN1", 49) || value("IN1", 36) || null,
      patientName: null,
      subscriberName: null,
      birthDate: null,
    },
    sealFor: patientId ?? subject,
  };
  return { events: [claim], flags: own };
}
