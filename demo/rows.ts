import type { ClaimStatus } from "./claim.js";
import type { Cents } from "./money.js";
import type { VisitStatus } from "./visit.js";

/**
 * The truth of a region as rows, under natural names in place of surrogate ids. A patient is "NORTH|MR|N000014", a visit
 * "NORTH|V000001", a claim its CLM01, a remittance its trace number. Instants are "2026-01-12T13:15:00Z", days
 * "2026-01-12", amounts whole cents. A value that is `undefined` is not stated: more than one reading of it is right.
 */
export interface PatientRow {
  readonly patient: string;
  readonly status: "active" | "merged";
  /** The patient named in PID by the merge itself; a chain is not followed. */
  readonly mergedInto: string | null;
  readonly sex: "M" | "F" | null;
  readonly birthYear: number | null;
  readonly familyName: string | null;
  /** Given and middle name with a blank between. */
  readonly givenNames: string | null;
  readonly birthDate: string | null;
}

export interface PatientIdentifierRow {
  readonly patient: string;
  readonly authority: string;
  readonly type: string;
  readonly value: string;
}

export interface VisitRow {
  readonly visit: string;
  readonly patient: string;
  readonly status: VisitStatus;
  readonly class: string | null;
  readonly location: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly cancelledAt: string | null;
}

export interface ClaimRow {
  readonly claim: string;
  /** NPI of the billing provider. */
  readonly provider: string;
  readonly status: ClaimStatus;
  readonly frequencyCode: string | undefined;
  readonly billed: Cents | undefined;
  readonly paid: Cents;
  readonly patientAmount: Cents;
  /** All CAS amounts, at claim and line, net of reversals. */
  readonly adjusted: Cents;
  /** Whether every decision on it adds up; not stated while there is none. */
  readonly balanced: boolean | undefined;
  readonly replaces: string | null;
  readonly lines: number | undefined;
  readonly submittedAt: string | undefined;
  readonly adjudicatedOn: string | undefined;
}

export interface ClaimLineRow {
  readonly claim: string;
  /** From 1. */
  readonly line: number;
  readonly procedure: string;
  readonly charge: Cents;
}

export interface RemittanceRow {
  readonly trace: string;
  readonly paidOn: string;
  readonly paid: Cents;
  readonly claims: Cents;
  readonly providerAdjustment: Cents;
  readonly balanced: boolean;
  /** What the payment is above claims less provider adjustments. */
  readonly difference: Cents;
}

export interface Counts {
  readonly deliveries: number;
  readonly units: number;
  readonly accepted: number;
  /** By answer and code, as "AE 101", "TA1 025", "999", "unreadable". */
  readonly rejectedByCode: Readonly<Record<string, number>>;
  /** Units inside refused interchanges, each of which counts as one unit above. */
  readonly enclosed: number;
  /** Among the accepted. */
  readonly resends: number;
  /** Among the accepted. */
  readonly reusedIds: number;
}

export interface RegionTruth {
  readonly patients: readonly PatientRow[];
  readonly patientIdentifiers: readonly PatientIdentifierRow[];
  /** Each person is the sorted list of his patients, after merges and links by strong identifiers. */
  readonly persons: readonly (readonly string[])[];
  readonly visits: readonly VisitRow[];
  readonly claims: readonly ClaimRow[];
  readonly claimLines: readonly ClaimLineRow[];
  readonly remittances: readonly RemittanceRow[];
  readonly counts: Counts;
}
