import {
  boolean,
  date,
  type FoldContext,
  hidden,
  indexed,
  instant,
  integer,
  money,
  type Row,
  table,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { currency } from "./currency.js";

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
    currency: currency("of its amounts"),
    told_at: hidden(instant("When its sender told it, by its own clock: decides between versions of one remittance.")),
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

const shown = Object.keys(remittances.columns).filter((column) => column !== "remittance_id");
const listed = ["reason_code", "fiscal_date", "amount"] as const;

/** All that a telling says, in an order of its own. */
const contentOf = (row: Row, adjustments: readonly Row[]): string =>
  JSON.stringify([
    shown.map((column) => row[column] ?? null),
    adjustments.map((adjustment) => listed.map((column) => adjustment[column] ?? null)),
  ]);

/**
 * A remittance told again (a file sent once more, a second channel, one put right) is the same one. Of several tellings
 * the last by their senders' clocks counts (an 835 is told on the day of its payment), then that of the latest day of
 * payment, then the content: the row is the same whichever came first.
 */
export function receiveRemittance({
  event,
  tables,
}: FoldContext<typeof remittanceTables, "RemittanceReceived">): undefined {
  const row = {
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
    currency: event.currency,
    told_at: event.meta.time,
  };
  const adjustments = event.providerAdjustments.map(({ reason, fiscalDate, amount }, index) => {
    return { ordinal: index + 1, reason_code: reason, fiscal_date: fiscalDate, amount };
  });
  const before = tables.remittances.get();
  const kept = tables.remittance_adjustments.all();
  if (before && !isBetter({ row, adjustments }, { row: before, adjustments: kept })) return;
  tables.remittances.put(row);
  for (const { ordinal } of kept) tables.remittance_adjustments.delete({ ordinal: ordinal as number });
  for (const adjustment of adjustments) tables.remittance_adjustments.put(adjustment);
}

interface Telling {
  readonly row: Row;
  readonly adjustments: readonly Row[];
}

function isBetter(telling: Telling, before: Telling): boolean {
  for (const column of ["told_at", "paid_at"]) {
    const [at, atBefore] = [telling.row[column] as number, before.row[column] as number];
    if (at !== atBefore) return at > atBefore;
  }
  return contentOf(telling.row, telling.adjustments) > contentOf(before.row, before.adjustments);
}
