import {
  boolean,
  date,
  type FoldContext,
  hidden,
  indexed,
  instant,
  integer,
  type JsonValue,
  json,
  money,
  table,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { type Clock, clockOf, isLatest } from "../clock.js";

const remittances = table({
  key: ["remittance_id"],
  comment: "One row a remittance (835): what a payer paid with one trace number, and whether it adds up.",
  columns: {
    remittance_id: uuid("Surrogate id of the remittance: payer and trace number."),
    partner: text("Partner that sent it."),
    payer_id: text("Payer."),
    payee_npi: text("NPI of the payee."),
    trace_number: indexed(text("TRN02.")),
    method: text("Payment method (BPR04), e.g. ACH, CHK, NON."),
    paid_at: instant("Day of the payment (BPR16), its start in UTC."),
    paid_amount: money("BPR02; negative when it is a debit."),
    claims_amount: money("Sum of its claims' payments (CLP04)."),
    provider_adjustment_amount: money("Sum of its adjustments outside of claims (PLB); positive lowers the payment."),
    claims: integer("How many claims it lists."),
    balanced: boolean("Whether the claims' sum less adjustments is what was paid."),
    difference: money("Paid less (claims less adjustments); 0 when balanced."),
    at: hidden(json("When it was last told.")),
  },
});

const remittance_adjustments = table({
  key: ["remittance_id", "ordinal"],
  comment: "Adjustments of a remittance outside of claims (PLB).",
  columns: {
    remittance_id: uuid("The remittance."),
    ordinal: integer("Ordinal in the remittance, from 1."),
    reason_code: text("Adjustment reason (PLB03-1), e.g. WO overpayment, FB forwarded balance."),
    fiscal_date: date("Fiscal period (PLB02)."),
    amount: money("Amount, positive where it lowers the payment."),
  },
});

export const remittanceTables = { remittances, remittance_adjustments } as const;

/** A remittance told again (a file sent once more, a second channel) is the same one: the latest telling counts. */
export function receiveRemittance(context: FoldContext<typeof remittanceTables, "RemittanceReceived">): undefined {
  const { event, tables } = context;
  const at = clockOf(context, event.paidAt);
  const before = tables.remittances.get();
  if (before && !isLatest(at, before.at as unknown as Clock)) return;
  tables.remittances.put({
    partner: event.meta.source,
    payer_id: event.payerId,
    payee_npi: event.payeeNpi,
    trace_number: event.traceNumber,
    method: event.method,
    paid_at: event.paidAt,
    paid_amount: event.paidAmount,
    claims_amount: event.claimsAmount,
    provider_adjustment_amount: event.providerAdjustmentAmount,
    claims: event.claims,
    balanced: event.balanced,
    difference: event.difference,
    at: at as unknown as JsonValue,
  });
  for (const { ordinal } of tables.remittance_adjustments.all())
    tables.remittance_adjustments.delete({ ordinal: ordinal as number });
  for (const [index, { reason, fiscalDate, amount }] of event.providerAdjustments.entries()) {
    tables.remittance_adjustments.put({ ordinal: index + 1, reason_code: reason, fiscal_date: fiscalDate, amount });
  }
}
