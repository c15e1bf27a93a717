import { readCurrency } from "../../engine/intake/currency.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { HALF_GIVEN } from "./adjustment-pairs.js";
import { startOfDay } from "./clock.js";
import { currencyOf, isOtherCurrency, OTHER_CURRENCY } from "./currency.js";
import { cents, readDate } from "./element.js";
import { emptyTotals, type RemittanceTotals } from "./remittance-totals.js";
import { payerId, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";

/** What an 835 says before its first claim, and how often each claim has stood in it so far. */
export interface Remittance {
  readonly remittanceId: string;
  readonly payerId: string;
  /** NPI, else tax id of the payee, else `@` and the receiver. */
  readonly payee: string;
  readonly payeeNpi: string | null;
  readonly traceNumber: string;
  /** Epoch milliseconds. */
  readonly paidAt: number;
  /** CUR02, else the profile's. */
  readonly currency: string | null;
  readonly otherCurrency: boolean;
  /** Times a claim id has been seen, so that each payment of it has its own occurrence. */
  readonly occurrences: Map<string, number>;
}

interface Header {
  bpr: Segment | null;
  trace: string;
  traceOrigin: string;
  productionDate: string;
  currency: string;
  payerIdentifier: string;
  payerSecondId: string;
  payeeQualifier: string;
  payeeIdentifier: string;
  payeeTaxId: string;
  loop: string;
}

function headerOf(segments: readonly Segment[]): Header {
  const header: Header = {
    bpr: null,
    trace: "",
    traceOrigin: "",
    productionDate: "",
    currency: "",
    payerIdentifier: "",
    payerSecondId: "",
    payeeQualifier: "",
    payeeIdentifier: "",
    payeeTaxId: "",
    loop: "",
  };
  for (const segment of segments) readHeader(header, segment);
  return header;
}

function readHeader(header: Header, segment: Segment): void {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  switch (segment.id) {
    case "BPR":
      header.bpr = segment;
      return;
    case "TRN":
      header.trace = at(2);
      header.traceOrigin = at(3);
      return;
    case "CUR":
      header.currency = readCurrency(at(2));
      return;
    case "DTM":
      if (at(1) === "405") header.productionDate = at(2);
      return;
    case "N1":
      header.loop = at(1);
      if (header.loop === "PR") header.payerIdentifier = at(4);
      if (header.loop === "PE") {
        header.payeeQualifier = at(3);
        header.payeeIdentifier = at(4);
      }
      return;
    case "REF":
      if (header.loop === "PR" && at(1) === "2U") header.payerSecondId = at(2);
      if (header.loop === "PE" && at(1) === "TJ") header.payeeTaxId = at(2);
  }
}

/**
 * Translates the head of an 835 (005010X221, 004010X091): one RemittanceReceived, subject the remittance. Pure.
 *
 * Payment date: BPR16; where that is no day (real files have such) the production date DTM*405, else the group's date,
 * with the flag PAYMENT_DATE_INVALID. Amounts below the claims (PLB) come from the first pass.
 */
export function translateRemittance(
  segments: readonly Segment[],
  surroundings: Surroundings,
): { readonly remittance: Remittance; readonly translation: Translation } {
  const header = headerOf(segments);
  const { profile, surrogate, interchange, group } = surroundings;
  const payer = payerId(profile, header.payerIdentifier, header.payerSecondId, header.traceOrigin, interchange.sender);
  const payeeNpi = header.payeeQualifier === "XX" && header.payeeIdentifier !== "" ? header.payeeIdentifier : null;
  const given = readDate(header.bpr?.elements[16]);
  const day = given ?? readDate(header.productionDate) ?? readDate(group.date) ?? "1970-01-01";
  const payee = payeeNpi ?? (header.payeeTaxId || header.payeeIdentifier);
  const remittance: Remittance = {
    remittanceId: surrogate("remittance", payer, "", header.trace),
    payerId: payer,
    payee: payee || `@${interchange.receiver}`,
    payeeNpi,
    traceNumber: header.trace,
    paidAt: startOfDay(day),
    currency: currencyOf(header.currency, profile),
    otherCurrency: isOtherCurrency(header.currency, profile),
    occurrences: new Map(),
  };
  const totals = surroundings.totals ?? emptyTotals();
  const flags = [
    ...(given === null ? ["PAYMENT_DATE_INVALID"] : []),
    ...(payee === "" ? ["PAYEE_UNIDENTIFIED"] : []),
    ...(totals.incomplete ? [HALF_GIVEN] : []),
    ...(remittance.otherCurrency ? [OTHER_CURRENCY] : []),
  ];
  const fields = remittanceFields(header, remittance, totals, flags);
  return {
    remittance,
    translation: {
      events: [
        {
          type: "RemittanceReceived",
          subject: remittance.remittanceId,
          time: remittance.paidAt,
          timePrecision: "DAY",
          fields,
        },
      ],
      flags: [...(fields.flags ?? [])],
      sealFor: [],
      number: header.trace,
    },
  };
}

function remittanceFields(
  header: Header,
  remittance: Remittance,
  totals: RemittanceTotals,
  flags: readonly string[],
): EventInputs["RemittanceReceived"] {
  const amount = cents(header.bpr?.elements[2]) ?? 0;
  // BPR03: C credits the payee, D takes money from it.
  const paidAmount = header.bpr?.elements[3] === "D" ? -amount : amount;
  const providerAdjustmentAmount = totals.adjustments.reduce((sum, one) => sum + one.amount, 0);
  const difference = paidAmount - (totals.claimsAmount - providerAdjustmentAmount);
  return {
    payerId: remittance.payerId,
    payeeNpi: remittance.payeeNpi,
    traceNumber: remittance.traceNumber,
    method: header.bpr?.elements[4] || null,
    paidAt: remittance.paidAt,
    paidAmount,
    claimsAmount: totals.claimsAmount,
    providerAdjustmentAmount,
    currency: remittance.currency,
    claims: totals.claims,
    providerAdjustments: totals.adjustments,
    balanced: difference === 0,
    difference,
    flags: difference === 0 ? flags : [...flags, "REMITTANCE_UNBALANCED"],
  };
}
