import type { ColumnValue, KeyedRows, Row } from "../../engine/projector/definition.js";
import { billingOf, claimState, inOrder, inPaymentOrder, type Payment, type Submission } from "./claim-state.js";

export type SubmissionRow = Row & Submission;
export type PaymentRow = Row & Payment;

export const submissionsOf = (rows: KeyedRows): readonly SubmissionRow[] =>
  inOrder(rows.all() as readonly SubmissionRow[]);
export const paymentsOf = (rows: KeyedRows): readonly PaymentRow[] =>
  inPaymentOrder(rows.all() as readonly PaymentRow[]);

/** Value of the last row that has one. */
function latest(rows: readonly Row[], column: string): ColumnValue {
  return rows.findLast((row) => row[column] !== null)?.[column] ?? null;
}

/** The row of `claims`, made anew from the claim's submissions and payments, both in their order. */
export function claimRow(submissions: readonly SubmissionRow[], payments: readonly PaymentRow[]): Row {
  const { status, money, submittedAt, adjudicatedAt } = claimState(submissions, payments);
  const billing = billingOf(submissions);
  const either = (column: string) => latest(submissions, column) ?? latest(payments, column);
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
    allowed_amount: money.allowed,
    paid_amount: money.paid,
    patient_amount: money.patient,
    adjusted_amount: money.adjusted,
    balanced: money.balanced,
    submission_missing: submissions.length === 0,
    submitted_at: submittedAt,
    acknowledged_at: null,
    adjudicated_at: adjudicatedAt,
    facility_code: billing?.facility_code ?? null,
    diagnosis_codes: billing?.diagnosis_codes ?? null,
    patient_control_number: either("patient_control_number"),
    // A replacement names the number of what it replaces, so the payer's own word comes first.
    payer_control_number: latest(payments, "payer_control_number") ?? latest(submissions, "payer_control_number"),
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
