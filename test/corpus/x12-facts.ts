import { cents } from "../../demo/read-models.js";
import { countBy, listingHash } from "../../producers/x12/testing/facts.js";
import { money } from "../../producers/x12/testing/money.js";
import type { TestInstallation } from "../installation.js";
import { type JournalStretch, within } from "./stretch.js";

/** One submission of a claim as the read models show it. */
export interface SubmissionRow {
  readonly number: string;
  readonly charge: number;
  readonly frequency: string;
  readonly icn: string;
  /** Lines of the claim now, and the sum of their charges. */
  readonly lines: number;
  readonly lineCharges: number;
}

export interface PaymentRow {
  readonly remittance: string;
  readonly trace: string;
  readonly number: string;
  readonly status: string;
  readonly charge: number;
  readonly paid: number;
  readonly icn: string;
  readonly balanced: boolean;
}

interface RemittanceRow {
  readonly remittance: string;
  readonly trace: string;
  readonly paid: number;
  readonly adjustments: number;
  readonly method: string;
  readonly balanced: boolean;
}

const restricted = "projections_restricted";
const inOrder = "ORDER BY t.journal_partition, t.journal_offset, t.journal_index";

/** Submissions that a file made, in its order. Events say which claim at what time; the rows say the rest. */
export async function submissions({ query }: TestInstallation, stretch: JournalStretch): Promise<SubmissionRow[]> {
  const rows = await query(
    `SELECT s.patient_control_number AS number, s.billed_amount::text AS charge, coalesce(s.frequency_code, '') AS frequency,
       coalesce(s.payer_control_number, '') AS icn, l.lines, l.charges::text AS line_charges
     FROM ${restricted}.timeline t
     LEFT JOIN LATERAL (
       SELECT * FROM ${restricted}.claim_submissions s 
       WHERE s.claim_id = t.claim_id AND s.submitted_at = t.occurred_at AND s.patient_id IS NOT DISTINCT FROM t.patient_id
       ORDER BY s.source_partition = t.partition AND s.source_offset = t."offset" DESC, s.source_offset LIMIT 1
     ) s ON true
     LEFT JOIN LATERAL (
       SELECT count(*) AS lines, coalesce(sum(charge_amount), 0) AS charges
       FROM ${restricted}.claim_lines l WHERE l.claim_id = t.claim_id
     ) l ON true
     WHERE ${within(stretch)} AND t.event_type IN ('ClaimSubmitted', 'ClaimReplaced', 'ClaimVoided') ${inOrder}`,
  );
  return rows.map((row) => ({
    number: String(row.number),
    charge: cents(row.charge) ?? Number.NaN,
    frequency: String(row.frequency),
    icn: String(row.icn),
    lines: Number(row.lines),
    lineCharges: cents(row.line_charges) ?? Number.NaN,
  }));
}

/** Payments and reversals that a file made, in its order. */
export async function payments({ query }: TestInstallation, stretch: JournalStretch): Promise<PaymentRow[]> {
  const rows = await query(
    `SELECT t.remittance_id, p.trace_number, p.patient_control_number, p.status_code, p.charge_amount::text AS charge,
       p.paid_amount::text AS paid, coalesce(p.payer_control_number, '') AS icn, p.balanced
     FROM (
       SELECT *, row_number() OVER (PARTITION BY claim_id, remittance_id ${inOrder}) AS occurrence
       FROM ${restricted}.timeline t
       WHERE ${within(stretch)} AND event_type IN ('ClaimAdjudicated', 'ClaimPaymentReversed')
     ) t
     LEFT JOIN ${restricted}.claim_payments p USING (claim_id, remittance_id, occurrence) ${inOrder}`,
  );
  return rows.map((row) => ({
    remittance: String(row.remittance_id),
    trace: String(row.trace_number),
    number: String(row.patient_control_number),
    status: String(row.status_code),
    charge: cents(row.charge) ?? Number.NaN,
    paid: cents(row.paid) ?? Number.NaN,
    icn: String(row.icn),
    balanced: row.balanced === true,
  }));
}

/** Remittances that a file made, in its order. */
export async function remittances({ query }: TestInstallation, stretch: JournalStretch): Promise<RemittanceRow[]> {
  const rows = await query(
    `SELECT r.remittance_id, r.trace_number, r.paid_amount::text AS paid, r.provider_adjustment_amount::text AS adjustments,
       r.method, r.balanced
     FROM ${restricted}.timeline t LEFT JOIN ${restricted}.remittances r USING (remittance_id)
     WHERE ${within(stretch)} AND t.event_type = 'RemittanceReceived' ${inOrder}`,
  );
  return rows.map((row) => ({
    remittance: String(row.remittance_id),
    trace: String(row.trace_number),
    paid: cents(row.paid) ?? Number.NaN,
    adjustments: cents(row.adjustments) ?? Number.NaN,
    method: String(row.method ?? ""),
    balanced: row.balanced === true,
  }));
}

const sum = (amounts: readonly number[]): string => money(amounts.reduce((total, amount) => total + amount, 0));

/** Facts of a file's claims, in the words of the expected ones. */
export function claimFacts(rows: readonly SubmissionRow[]): Record<string, unknown> | null {
  if (rows.length === 0) return null;
  return {
    count: rows.length,
    distinct_clm01: new Set(rows.map(({ number }) => number)).size,
    total_charge: sum(rows.map(({ charge }) => charge)),
    service_lines: rows.reduce((total, { lines }) => total + lines, 0),
    by_frequency: countBy(rows.map(({ frequency }) => frequency)),
    with_icn: rows.filter(({ icn }) => icn !== "").length,
    charge_differs_from_lines: rows.filter(({ charge, lineCharges }) => charge !== lineCharges).length,
    listing_sha256: listingHash(
      rows.map(({ number, charge, frequency, icn, lines }, index) =>
        [index, number, money(charge), frequency, icn, lines].join("\t"),
      ),
    ),
  };
}

/** Facts of a file's remittances and payments, in the words of the expected ones. */
export function remittanceFacts(
  received: readonly RemittanceRow[],
  paid: readonly PaymentRow[],
): { remittances: unknown; remittance_totals: unknown } {
  if (received.length === 0) return { remittances: null, remittance_totals: null };
  const ofEach = received.map((one) => paid.filter(({ remittance }) => remittance === one.remittance));
  return {
    remittances: received.slice(0, 12).map((one, index) => {
      const claims = ofEach[index] as PaymentRow[];
      return {
        trn02: one.trace,
        bpr02: money(one.paid),
        method: one.method,
        claims: claims.length,
        paid_sum: sum(claims.map((claim) => claim.paid)),
        balanced: one.balanced,
        reversals: claims.filter(({ status }) => status === "22").length,
        unbalanced_claims: claims
          .filter(({ balanced }) => !balanced)
          .map(({ number }) => number)
          .slice(0, 8),
      };
    }),
    remittance_totals: {
      transactions: received.length,
      claims: paid.length,
      bpr02: sum(received.map((one) => one.paid)),
      paid: sum(paid.map((claim) => claim.paid)),
      by_status: countBy(paid.map(({ status }) => status)),
      unbalanced_transactions: received.filter(({ balanced }) => !balanced).length,
      unbalanced_claims: paid.filter(({ balanced }) => !balanced).length,
      listing_sha256: listingHash(
        ofEach.flatMap((claims) =>
          claims.map(({ trace, number, status, charge, paid, icn }, index) =>
            [trace, index, number, status, money(charge), money(paid), icn].join("\t"),
          ),
        ),
      ),
    },
  };
}

/** What is expected of a file, brought down to what the read models tell. */
export function expectedFacts(stated: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pick = (from: unknown, names: string): unknown =>
    from ? Object.fromEntries(names.split(" ").map((name) => [name, (from as Record<string, unknown>)[name]])) : null;
  const remittance = "trn02 bpr02 method claims paid_sum balanced reversals unbalanced_claims";
  return {
    claims: pick(
      stated.claims,
      "count distinct_clm01 total_charge service_lines by_frequency with_icn charge_differs_from_lines listing_sha256",
    ),
    remittances: stated.remittances ? (stated.remittances as unknown[]).map((one) => pick(one, remittance)) : null,
    remittance_totals: stated.remittance_totals ?? null,
  };
}
