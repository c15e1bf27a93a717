import type { FoldContext, Row } from "../../engine/projector/definition.js";
import { openedText } from "../opened.js";
import { type PaymentRow, putClaim, withDetails } from "./claim-row.js";
import { rememberNumber } from "./numbers.js";
import type { claimTables } from "./tables.js";

type PaymentContext = FoldContext<typeof claimTables, "ClaimAdjudicated" | "ClaimPaymentReversed">;

/**
 * A payer decided a claim, or took a payment back.
 *
 * A payment is known by payer and trace (the remittance), claim and occurrence, not by its amounts: the insurer's other
 * channel (a remittance CSV beside the 835) tells the same payment with less, and a remittance put right is sent again
 * under its trace number. Of several tellings the most detailed counts, then the latest day, then the one told last by
 * its sender's clock (versions of a FHIR decision), then the content: so none is paid twice, and the row is the same
 * whichever came first.
 */
export function pay(context: PaymentContext): undefined {
  const { event, tables } = context;
  const row = paymentRow(context);
  const place = { remittance_id: event.remittanceId, occurrence: event.occurrence };
  const before = tables.claim_payments.get(place) as PaymentRow | undefined;
  const order = before ? compareTellings(row, before) : 1;
  if (before && order === 0) tables.claim_payments.put(withDetails(row, before));
  if (order > 0) {
    tables.claim_payments.put(row);
    putAdjustments(context);
    putLines(context);
  }
  if (event.payerControlNumberHash !== null) {
    rememberNumber(tables.claim_numbers, "known", event.payerControlNumberHash, event.paidAt);
  }
  putClaim(tables);
}

function paymentRow({ type, event, sealed }: PaymentContext): Row {
  const reversal = type === "ClaimPaymentReversed";
  const sum = (adjustments: typeof event.adjustments) => adjustments.reduce((total, { amount }) => total + amount, 0);
  const adjusted = sum(event.adjustments);
  const patient = sum(event.adjustments.filter(({ group }) => group === "PR"));
  return {
    remittance_id: event.remittanceId,
    occurrence: event.occurrence,
    paid_at: event.paidAt,
    partner: event.meta.source,
    patient_id: event.patientId,
    payer_id: event.payerId,
    provider_npi: event.providerNpi,
    trace_number: event.traceNumber,
    status_code: event.statusCode,
    reversal,
    charge_amount: event.chargeAmount,
    paid_amount: event.paidAmount,
    // Many payers leave CLP05 out of a reversal; what the patient no longer owes is then in its adjustments.
    patient_amount: reversal && event.patientAmount === 0 ? patient : event.patientAmount,
    allowed_amount: event.allowedAmount,
    adjusted_amount: adjusted,
    balanced: event.balanced,
    difference: event.balanced ? 0 : event.paidAmount - (event.chargeAmount - adjusted),
    currency: event.currency,
    remark_codes: event.remarkCodes,
    adjudication: Object.fromEntries(event.adjudication.map(({ element, value }) => [element, value])),
    content_hash: event.contentHash,
    told_at: event.meta.time,
    detail: event.lines.length + event.adjustments.length,
    patient_control_number: openedText(sealed?.patientControlNumber),
    payer_control_number: openedText(sealed?.payerControlNumber),
    member_id: openedText(sealed?.memberId),
  };
}

/** Positive when `left` tells the payment better. */
function compareTellings(left: Row, right: Row): number {
  for (const column of ["detail", "paid_at", "told_at", "content_hash", "partner"]) {
    const [one, other] = [left[column] as number | string, right[column] as number | string];
    if (one !== other) return one > other ? 1 : -1;
  }
  return 0;
}

function putAdjustments({ event, tables: { claim_adjustments } }: PaymentContext): void {
  const place = { remittance_id: event.remittanceId, occurrence: event.occurrence };
  for (const row of claim_adjustments.all()) if (isAt(row, place)) claim_adjustments.delete(row);
  for (const [index, { lineNumber, group, reason, amount, quantity }] of event.adjustments.entries()) {
    claim_adjustments.put({
      ...place,
      ordinal: index + 1,
      line_number: lineNumber,
      group_code: group,
      reason_code: reason,
      amount,
      quantity,
    });
  }
}

function putLines({ event, tables: { claim_payment_lines } }: PaymentContext): void {
  const place = { remittance_id: event.remittanceId, occurrence: event.occurrence };
  for (const row of claim_payment_lines.all()) if (isAt(row, place)) claim_payment_lines.delete(row);
  for (const line of event.lines) {
    const own = event.adjustments.filter(({ lineNumber }) => lineNumber === line.lineNumber);
    const adjusted = own.reduce((total, { amount }) => total + amount, 0);
    const difference = line.paidAmount - (line.chargeAmount - adjusted);
    claim_payment_lines.put({
      ...place,
      line_number: line.lineNumber,
      procedure_qualifier: line.procedureQualifier,
      procedure_code: line.procedureCode,
      charge_amount: line.chargeAmount,
      paid_amount: line.paidAmount,
      allowed_amount: line.allowedAmount,
      service_date: line.serviceDate,
      adjusted_amount: adjusted,
      balanced: difference === 0,
      difference,
      remark_codes: line.remarkCodes,
    });
  }
}

const isAt = (row: Row, place: { readonly remittance_id: string; readonly occurrence: number }): boolean =>
  row.remittance_id === place.remittance_id && row.occurrence === place.occurrence;
