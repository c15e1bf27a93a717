import type { View } from "../../engine/projector/definition.js";

/**
 * The three equations of a remittance (005010X221, 1.10.2.1), where they do not hold: line SVC02 - CAS = SVC03, claim
 * CLP03 - CAS = CLP04, transaction sum of CLP04 - PLB = BPR02. Such a payment is a fact like any other: kept, flagged and
 * listed here, never refused.
 */
export const unbalancedView: View = {
  comment: "Amounts of remittances that do not balance: of a line, a claim, or the transaction as a whole.",
  sql: `
    SELECT 'line'::text AS level, l.claim_id, l.remittance_id, l.occurrence, l.line_number, p.partner, p.payer_id,
      p.trace_number, p.paid_at, (l.charge_amount - l.adjusted_amount)::numeric(14,2) AS expected_amount,
      l.paid_amount AS stated_amount, l.difference
    FROM $build.claim_payment_lines l JOIN $build.claim_payments p USING (claim_id, remittance_id, occurrence)
    WHERE NOT l.balanced
    UNION ALL
    SELECT 'claim', claim_id, remittance_id, occurrence, NULL, partner, payer_id, trace_number, paid_at,
      (charge_amount - adjusted_amount)::numeric(14,2), paid_amount, difference
    FROM $build.claim_payments WHERE NOT balanced
    UNION ALL
    SELECT 'transaction', NULL, remittance_id, NULL, NULL, partner, payer_id, trace_number, paid_at,
      (claims_amount - provider_adjustment_amount)::numeric(14,2), paid_amount, difference
    FROM $build.remittances WHERE NOT balanced`,
  columns: {
    level: "line, claim or transaction.",
    claim_id: "The claim; null for a transaction.",
    remittance_id: "The remittance.",
    occurrence: "Ordinal of the claim in its remittance; null for a transaction.",
    line_number: "Ordinal of the line in the payment; null above lines.",
    partner: "Partner that sent it.",
    payer_id: "Payer.",
    trace_number: "TRN02.",
    paid_at: "Day of the payment (BPR16), its start in UTC.",
    expected_amount: "What the charge (or the claims) less adjustments comes to.",
    stated_amount: "What is stated as paid.",
    difference: "Stated less expected.",
  },
};
