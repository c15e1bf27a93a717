import type { ColumnValue, KeyedRows, Row } from "../../engine/projector/definition.js";
import {
  type Acknowledgment,
  billingOf,
  claimState,
  inAcknowledgmentOrder,
  inOrder,
  inPaymentOrder,
  type Payment,
  type Submission,
} from "./claim-state.js";

export type SubmissionRow = Row & Submission;
export type PaymentRow = Row & Payment;
type AcknowledgmentRow = Row & Acknowledgment;

export const submissionsOf = (rows: KeyedRows): readonly SubmissionRow[] =>
  inOrder(rows.all() as readonly SubmissionRow[]);
export const paymentsOf = (rows: KeyedRows): readonly PaymentRow[] =>
  inPaymentOrder(rows.all() as readonly PaymentRow[]);

/** Value of the last row that has one. */
function latest(rows: readonly Row[], column: string): ColumnValue {
  return rows.findLast((row) => row[column] !== null)?.[column] ?? null;
}

/** The tables that a claim's row is made from, and the one it is put in. */
interface ClaimRows {
  readonly claims: KeyedRows;
  readonly claim_submissions: KeyedRows;
  readonly claim_payments: KeyedRows;
  readonly claim_acknowledgments: KeyedRows;
  readonly claim_status_reports: KeyedRows;
}

/** Makes the row of `claims` anew from everything known of the claim. */
export function putClaim(tables: ClaimRows): void {
  const acknowledgments = inAcknowledgmentOrder(tables.claim_acknowledgments.all() as readonly AcknowledgmentRow[]);
  const row = claimRow(
    submissionsOf(tables.claim_submissions),
    paymentsOf(tables.claim_payments),
    acknowledgments,
    tables.claim_status_reports.all(),
  );
  tables.claims.put(row);
}

/** All lists in their order. */
function claimRow(
  submissions: readonly SubmissionRow[],
  payments: readonly PaymentRow[],
  acknowledgments: readonly AcknowledgmentRow[],
  reports: readonly Row[],
): Row {
  const { status, money, submittedAt, acknowledgedAt, adjudicatedAt } = claimState(
    submissions,
    payments,
    acknowledgments,
  );
  const billing = billingOf(submissions);
  // A payer's answer to what never came here names the claim too; what decides it comes before what only tells of it.
  const sources: readonly (readonly Row[])[] = [submissions, payments, acknowledgments, reports];
  const first = (from: readonly (readonly Row[])[], column: string): ColumnValue => {
    for (const rows of from) {
      const value = latest(rows, column);
      if (value !== null) return value;
    }
    return null;
  };
  const either = (column: string) => first(sources, column);
  return {
    patient_id: either("patient_id"),
    visit_id: latest(submissions, "visit_id"),
    partner: either("partner"),
    payer_id: either("payer_id"),
    provider_npi: either("provider_npi"),
    kind: latest(submissions, "kind"),
    frequency_code: submissions.at(-1)?.frequency_code ?? null,
    status,
    billed_amount: billing?.billed_amount ?? null,
    currency: billing?.currency ?? latest(payments, "currency"),
    allowed_amount: money.allowed,
    paid_amount: money.paid,
    patient_amount: money.patient,
    adjusted_amount: money.adjusted,
    balanced: money.balanced,
    submission_missing: submissions.length === 0,
    submitted_at: submittedAt,
    acknowledged_at: acknowledgedAt,
    adjudicated_at: adjudicatedAt,
    facility_code: billing?.facility_code ?? null,
    diagnosis_codes: billing?.diagnosis_codes ?? null,
    patient_control_number: either("patient_control_number"),
    // A replacement names the number of what it replaces, so the payer's own word comes first.
    payer_control_number: first([payments, acknowledgments, reports, submissions], "payer_control_number"),
    member_id: either("member_id"),
  };
}

/** Numbers of a claim that sealed content gives. */
const detailColumns = ["patient_control_number", "payer_control_number", "member_id"] as const;

/** The same fact seen again, maybe with what was sealed away before. */
export function withDetails(row: Row, before: Row): Row {
  const details = detailColumns.map((column) => [column, before[column] ?? row[column] ?? null]);
  return { ...before, ...Object.fromEntries(details) };
}
