import { createHash } from "node:crypto";
import type { ReceivedUnit } from "../../../engine/intake/connector.js";
import type { EventInputs } from "../../../schemas/events.generated.js";
import { money } from "./money.js";

/** Facts as the sample files' expectations state them, made of the events of accepted units alone. */
export interface ClaimFacts {
  readonly count: number;
  readonly distinct_clm01: number;
  readonly total_charge: string;
  readonly service_lines: number;
  readonly by_frequency: Readonly<Record<string, number>>;
  readonly with_icn: number;
  readonly charge_differs_from_lines: number;
  readonly listing_sha256: string;
}

type Payment = EventInputs["ClaimAdjudicated"] & { readonly number: string; readonly icn: string };

export interface RemittanceFacts {
  readonly trn02: string;
  readonly bpr02: string;
  readonly method: string;
  readonly claims: number;
  readonly paid_sum: string;
  readonly balanced: boolean;
  readonly reversals: number;
  readonly unbalanced_claims: readonly string[];
}

/** SHA-256 of a listing: unique lines in order of code points, each ended by LF. */
export function listingHash(lines: readonly string[]): string {
  const unique = [...new Set(lines)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return createHash("sha256")
    .update(unique.map((line) => `${line}\n`).join(""))
    .digest("hex");
}

export function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

export interface Submission {
  readonly number: string;
  readonly charge: number;
  readonly frequency: string;
  readonly icn: string;
  readonly lines: number;
  readonly differs: boolean;
}

export function submissions(units: readonly ReceivedUnit[]): Submission[] {
  const found: Submission[] = [];
  for (const unit of units) {
    for (const event of unit.events) {
      if (event.type !== "ClaimSubmitted" && event.type !== "ClaimReplaced" && event.type !== "ClaimVoided") continue;
      const { fields, sealed } = event;
      found.push({
        number: sealed?.patientControlNumber ?? "",
        charge: fields.billedAmount,
        frequency: fields.frequencyCode,
        icn: sealed?.payerControlNumber ?? "",
        lines: fields.lines?.length ?? 0,
        differs: (fields.lines ?? []).reduce((sum, line) => sum + line.chargeAmount, 0) !== fields.billedAmount,
      });
    }
  }
  return found;
}

export function claimFacts(units: readonly ReceivedUnit[]): ClaimFacts | null {
  const claims = submissions(units);
  if (claims.length === 0) return null;
  return {
    count: claims.length,
    distinct_clm01: new Set(claims.map((claim) => claim.number)).size,
    total_charge: money(claims.reduce((sum, claim) => sum + claim.charge, 0)),
    service_lines: claims.reduce((sum, claim) => sum + claim.lines, 0),
    by_frequency: countBy(claims.map((claim) => claim.frequency)),
    with_icn: claims.filter((claim) => claim.icn !== "").length,
    charge_differs_from_lines: claims.filter((claim) => claim.differs).length,
    listing_sha256: listingHash(
      claims.map((claim, index) =>
        [index, claim.number, money(claim.charge), claim.frequency, claim.icn, claim.lines].join("\t"),
      ),
    ),
  };
}

interface Remitted {
  readonly fields: EventInputs["RemittanceReceived"];
  readonly payments: Payment[];
}

/** Remittances with their payments, in order. */
export function remitted(units: readonly ReceivedUnit[]): Remitted[] {
  const found: Remitted[] = [];
  for (const unit of units) {
    for (const event of unit.events) {
      if (event.type === "RemittanceReceived") found.push({ fields: event.fields, payments: [] });
      if (event.type !== "ClaimAdjudicated" && event.type !== "ClaimPaymentReversed") continue;
      const { sealed, fields } = event;
      const number = sealed?.patientControlNumber ?? "";
      found.at(-1)!.payments.push({ ...fields, number, icn: sealed?.payerControlNumber ?? "" });
    }
  }
  return found;
}

export function remittanceFacts({ fields, payments }: Remitted): RemittanceFacts {
  return {
    trn02: fields.traceNumber,
    bpr02: money(fields.paidAmount),
    method: fields.method ?? "",
    claims: payments.length,
    paid_sum: money(payments.reduce((sum, one) => sum + one.paidAmount, 0)),
    balanced: fields.balanced,
    reversals: payments.filter((one) => one.statusCode === "22").length,
    unbalanced_claims: payments
      .filter((one) => !one.balanced)
      .map((one) => one.number)
      .slice(0, 8),
  };
}

export function paymentLines(remittances: readonly Remitted[], indexed: boolean): string[] {
  return remittances.flatMap(({ fields, payments }) =>
    payments.map((one, index) =>
      [
        fields.traceNumber,
        ...(indexed ? [index] : []),
        one.number,
        one.statusCode,
        money(one.chargeAmount),
        money(one.paidAmount),
        one.icn,
      ].join("\t"),
    ),
  );
}

export function remittanceTotals(remittances: readonly Remitted[]): Record<string, unknown> {
  const payments = remittances.flatMap((one) => one.payments);
  return {
    transactions: remittances.length,
    claims: payments.length,
    bpr02: money(remittances.reduce((sum, one) => sum + one.fields.paidAmount, 0)),
    paid: money(payments.reduce((sum, one) => sum + one.paidAmount, 0)),
    by_status: countBy(payments.map((one) => one.statusCode)),
    unbalanced_transactions: remittances.filter((one) => !one.fields.balanced).length,
    unbalanced_claims: payments.filter((one) => !one.balanced).length,
    listing_sha256: listingHash(paymentLines(remittances, true)),
  };
}
