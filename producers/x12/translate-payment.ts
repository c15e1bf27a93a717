import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { type Adjudication, readAdjudication } from "./adjudication.js";
import { HALF_GIVEN, pairsIn } from "./adjustment-pairs.js";
import { OTHER_CURRENCY } from "./currency.js";
import { cents, readDate } from "./element.js";
import { type Person, personOf, subscriberId } from "./people.js";
import { decodeText } from "./profile.js";
import { procedureOf } from "./service-line.js";
import { payerControlNumberHash, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";
import type { Remittance } from "./translate835.js";

type PaymentFields = EventInputs["ClaimAdjudicated"];
type PaidLine = {
  -readonly [Key in keyof NonNullable<PaymentFields["lines"]>[number]]: NonNullable<
    PaymentFields["lines"]
  >[number][Key];
};
type Adjustment = NonNullable<PaymentFields["adjustments"]>[number];

/** CAS02/03/04 to CAS17/18/19: reason, amount, quantity. */
const TRIPLES = [2, 5, 8, 11, 14, 17];

interface PaymentBody {
  readonly clp: Segment;
  patient: Person | null;
  insured: Person | null;
  allowed: number | null;
  readonly adjudication: Adjudication;
  readonly adjustments: Adjustment[];
  /** One of them has no reason or no amount. */
  incomplete: boolean;
  readonly lines: PaidLine[];
}

/**
 * Translates one CLP loop of an 835: ClaimAdjudicated, or ClaimPaymentReversed where CLP02 is 22. Pure but for
 * `remittance.occurrences`, which counts the claim.
 */
export function translatePayment(
  segments: readonly Segment[],
  remittance: Remittance,
  surroundings: Surroundings,
): Translation {
  const { profile, surrogate } = surroundings;
  let body: PaymentBody | null = null;
  for (const segment of segments) {
    if (segment.id === "CLP" && body === null) {
      body = bodyOf(segment);
    } else if (body) readPayment(body, segment, remittance, surroundings);
  }
  const at = (index: number): string => (body?.clp.elements[index] ?? "").trim();
  const isNumbered = !noNumber.test(at(1));
  const claimId = isNumbered
    ? surrogate("claim", remittance.payee, "", at(1))
    : unnumberedClaim(at(7), remittance, surroundings);
  const occurrence = countOf(claimId, remittance);
  if (!body) return { events: [], flags: [], sealFor: [claimId], number: "" };

  const patientId = subscriberId(surrogate, remittance.payerId, patientOf(body));
  const owner = patientId ?? claimId;
  const facts = fieldsOf(body, at, remittance, occurrence, patientId, surroundings);
  const flags = facts.balanced ? [] : ["PAYMENT_UNBALANCED"];
  if (!body.lines.every((one) => isLineBalanced(one, body.adjustments))) flags.push("LINE_UNBALANCED");
  if (body.incomplete) flags.push(HALF_GIVEN);
  if (remittance.otherCurrency) flags.push(OTHER_CURRENCY);
  if (patientId === null) flags.push("PATIENT_UNIDENTIFIED");
  if (!isNumbered) flags.push("CLAIM_UNIDENTIFIED");
  const event: EventDraft = {
    type: at(2) === "22" ? "ClaimPaymentReversed" : "ClaimAdjudicated",
    subject: claimId,
    time: remittance.paidAt,
    timePrecision: "DAY",
    fields: { ...facts, contentHash: contentHash(facts), currency: remittance.currency, flags },
    sealed: {
      patientControlNumber: isNumbered ? decodeText(profile, at(1)) || null : null,
      payerControlNumber: decodeText(profile, at(7)) || null,
      memberId: (body.insured ?? body.patient)?.memberId || null,
      patientName: body.patient?.name ?? null,
      subscriberName: (body.insured ?? body.patient)?.name ?? null,
      birthDate: null,
    },
    sealFor: owner,
  };
  return { events: [event], flags, sealFor: [owner], number: at(1) };
}

/** A payer that was told no number of the provider's writes a zero (005010X221, CLP01): it is no number. */
export const noNumber = /^0+$/;

/** Counts a claim of the remittance. */
function countOf(claimId: string, { occurrences }: Remittance): number {
  const occurrence = (occurrences.get(claimId) ?? 0) + 1;
  occurrences.set(claimId, occurrence);
  return occurrence;
}

/** A claim of which only the payer's number is known; without that it is one of its own. */
function unnumberedClaim(payerNumber: string, remittance: Remittance, { surrogate }: Surroundings): string {
  const { payee, remittanceId } = remittance;
  if (payerNumber !== "") return surrogate("claim", payee, "payer", payerNumber);
  return surrogate("claim", payee, "unnumbered", `${remittanceId}/${countOf(remittanceId, remittance)}`);
}

function bodyOf(clp: Segment): PaymentBody {
  const adjudication = { remarkCodes: [], values: [] };
  return {
    clp,
    patient: null,
    insured: null,
    allowed: null,
    adjudication,
    adjustments: [],
    incomplete: false,
    lines: [],
  };
}

/**
 * The person whose member id names the patient. Where the 835 names an insured besides the patient, the patient is a
 * dependent; unless it has an id of its own nobody can tell it apart, since the 835 has no birth date.
 */
function patientOf(body: PaymentBody): Person | null {
  if (body.insured && body.patient?.memberId === body.insured.memberId) return null;
  return body.patient;
}

function readPayment(body: PaymentBody, segment: Segment, remittance: Remittance, surroundings: Surroundings): void {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  const line = body.lines.at(-1);
  switch (segment.id) {
    case "NM1":
      if (at(1) === "QC") body.patient = personOf(segment, surroundings.profile);
      else if (at(1) === "IL") body.insured = personOf(segment, surroundings.profile);
      return;
    case "SVC": {
      const { procedureQualifier, procedureCode } = procedureOf(segment, 1);
      body.lines.push({
        lineNumber: body.lines.length + 1,
        procedureQualifier,
        procedureCode,
        controlNumber: null,
        chargeAmount: cents(at(2)) ?? 0,
        paidAmount: cents(at(3)) ?? 0,
        allowedAmount: null,
        serviceDate: null,
        remarkCodes: [],
      });
      return;
    }
    case "MIA":
    case "MOA":
      readAdjudication(body.adjudication, segment);
      return;
    case "LQ":
      if (line && at(1) === "HE" && at(2) !== "") line.remarkCodes = [...(line.remarkCodes ?? []), at(2)];
      return;
    case "DTM":
      if (line && (at(1) === "472" || at(1) === "150")) line.serviceDate = readDate(at(2));
      return;
    case "REF":
      if (line && at(1) === "6R" && at(2) !== "") {
        line.controlNumber = surroundings.surrogate("claim", remittance.payee, "line", at(2));
      }
      return;
    case "AMT":
      if (line && at(1) === "B6") line.allowedAmount = cents(at(2));
      else if (!line && at(1) === "AU") body.allowed = cents(at(2));
      return;
    case "CAS":
      readAdjustments(body, segment, line?.lineNumber ?? null);
  }
}

function readAdjustments(body: PaymentBody, segment: Segment, lineNumber: number | null): void {
  const group = segment.elements[1] ?? "";
  for (const { at, reason, amount, half } of pairsIn(segment, TRIPLES, true)) {
    body.adjustments.push({ lineNumber, group, reason, amount, quantity: segment.elements[at + 2] || null });
    if (half) body.incomplete = true;
  }
}

/** The first of the three equations of an 835 (005010X221, 1.10.2.1): SVC02 less the line's CAS is SVC03. */
function isLineBalanced(
  { lineNumber, chargeAmount, paidAmount }: PaidLine,
  adjustments: readonly Adjustment[],
): boolean {
  const own = adjustments.filter((one) => one.lineNumber === lineNumber);
  return chargeAmount - own.reduce((sum, { amount }) => sum + amount, 0) === paidAmount;
}

function fieldsOf(
  body: PaymentBody,
  at: (index: number) => string,
  remittance: Remittance,
  occurrence: number,
  patientId: string | null,
  surroundings: Surroundings,
): Omit<PaymentFields, "contentHash" | "currency" | "flags"> {
  const chargeAmount = cents(at(3)) ?? 0;
  const paidAmount = cents(at(4)) ?? 0;
  const adjusted = body.adjustments.reduce((sum, one) => sum + one.amount, 0);
  const allowed = body.lines.filter((line) => line.allowedAmount !== null && line.allowedAmount !== undefined);
  return {
    patientId,
    remittanceId: remittance.remittanceId,
    payerId: remittance.payerId,
    providerNpi: remittance.payeeNpi,
    traceNumber: remittance.traceNumber,
    occurrence,
    statusCode: at(2),
    chargeAmount,
    paidAmount,
    patientAmount: cents(at(5)) ?? 0,
    allowedAmount:
      body.allowed ?? (allowed.length > 0 ? allowed.reduce((sum, line) => sum + (line.allowedAmount ?? 0), 0) : null),
    frequencyCode: at(9) || null,
    adjustments: body.adjustments,
    lines: body.lines,
    remarkCodes: body.adjudication.remarkCodes,
    adjudication: body.adjudication.values,
    balanced: chargeAmount - adjusted === paidAmount,
    payerControlNumberHash: payerControlNumberHash(surroundings.surrogate, remittance.payee, at(7)),
    paidAt: remittance.paidAt,
  };
}
