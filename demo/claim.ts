import { type Cents, total } from "./money.js";
import type { Person } from "./population.js";
import type { HospitalSender } from "./senders.js";

export interface ServiceLine {
  readonly procedure: string;
  readonly charge: Cents;
}

/** One CLM: what was billed, and how it stands to what was billed before. */
export interface Submission {
  readonly claim: Claim;
  /** CLM05-3: 1 original, 7 replacement, 8 void. */
  readonly frequency: "1" | "7" | "8";
  /** REF*F8: the payer's number of the claim that is replaced or voided. */
  readonly reference: string | null;
  readonly lines: readonly ServiceLine[];
}

export interface Adjustment {
  /** Index of the service line. */
  readonly line: number;
  readonly group: "CO" | "PR";
  readonly reason: string;
  readonly amount: Cents;
}

/** One CLP: what the payer decided. A reversal has the amounts of what it takes back, negated. */
export interface Decision {
  readonly claim: Claim;
  readonly status: "1" | "4" | "22";
  readonly lines: readonly ServiceLine[];
  readonly paid: readonly Cents[];
  readonly adjustments: readonly Adjustment[];
  /** CLP07. */
  readonly payerNumber: string;
  /** Adjustments by service line (SVC), or summed up at the claim. */
  readonly itemised: boolean;
  /** What CLP04 is short of CLP03 less the adjustments; 0 where the claim balances. */
  readonly gap: Cents;
}

/** A claim, and all that is said of it, in the order in which it was said. */
export interface Claim {
  /** CLM01. */
  readonly number: string;
  readonly provider: HospitalSender;
  readonly person: Person;
  /** The patient is a dependent of the member. */
  readonly dependent: boolean;
  readonly submissions: { readonly submission: Submission; at: number }[];
  readonly decisions: { readonly decision: Decision; day: number }[];
  /** The claim with another number that this one replaces. */
  replaces: Claim | null;
  replaced: boolean;
}

export const chargeOf = (one: { readonly lines: readonly ServiceLine[] }): Cents =>
  total(one.lines.map((l) => l.charge));
export const paidOf = (decision: Decision): Cents => total(decision.paid) - decision.gap;
export const adjustedOf = (decision: Decision): Cents => total(decision.adjustments.map((a) => a.amount));
export const patientShareOf = (decision: Decision): Cents =>
  total(decision.adjustments.filter((a) => a.group === "PR").map((a) => a.amount));

/** The reversal that takes a decision back (X12 835 guide, 1.10.2.8). */
export const reverse = (decision: Decision): Decision => ({
  ...decision,
  status: "22",
  lines: decision.lines.map((line) => ({ ...line, charge: -line.charge })),
  paid: decision.paid.map((amount) => -amount),
  adjustments: decision.adjustments.map((one) => ({ ...one, amount: -one.amount })),
  gap: -decision.gap,
});

/** Status words of the claims read model that this region brings about. */
export type ClaimStatus = "submitted" | "paid" | "adjudicated" | "denied" | "reversed" | "replaced";

/** Where a claim stands at the end: the payer's last word, unless another claim took its place. */
export function statusOf(claim: Claim): ClaimStatus {
  if (claim.replaced) return "replaced";
  const last = claim.decisions.at(-1)?.decision;
  if (last === undefined) return "submitted";
  if (last.status === "22") return "reversed";
  if (last.status === "4") return "denied";
  return paidOf(last) > 0 ? "paid" : "adjudicated";
}
