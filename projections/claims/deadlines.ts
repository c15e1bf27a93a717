import type { View } from "../../engine/projector/definition.js";

/**
 * Days within which a claim is to be acknowledged, decided and paid: what payers' companion guides (277CA) and prompt-payment
 * rules for clean electronic claims commonly ask (42 CFR 447.45: 30 days; state laws: 30 to 45). Whoever has other terms
 * compares `submitted_at` and `met_at`.
 */
const days = { acknowledged: 3, decided: 30, paid: 45 } as const;

/**
 * Deadlines that were missed, also those that were met too late. Every answer has its own date as clock, what is still open
 * the question's. A submission that was refused, or that another took the place of, waits for nothing.
 */
export const deadlineView: View = {
  comment: `Deadlines missed: claims not acknowledged within ${days.acknowledged} days of a submission, not decided within ${days.decided}, or not paid within ${days.paid} although not decided otherwise.`,
  sql: `
    SELECT d.*, round((extract(epoch FROM d.ended_at - d.due_at) / 86400)::numeric, 1) AS days_over, d.met_at IS NULL AS open
    FROM (
      SELECT s.claim_id, s.submission_id, s.submitted_at, s.partner, s.payer_id, s.billed_amount, x.deadline,
        s.submitted_at + x.days * interval '24 hours' AS due_at, x.met_at,
        coalesce(x.met_at, s.next_submitted_at, $now) AS ended_at
      FROM (
        SELECT *, lead(submitted_at) OVER (PARTITION BY claim_id ORDER BY submitted_at, content_hash, submission_id)
          AS next_submitted_at
        FROM $build.claim_submissions
      ) s
      LEFT JOIN $schema.acknowledgment_ladder l USING (claim_id, submission_id)
      LEFT JOIN LATERAL (
        SELECT min(a.acknowledged_at) AS at, bool_or(a.verdict = 'rejected') AS refused
        FROM $build.claim_acknowledgments a
        WHERE a.claim_id = s.claim_id AND a.acknowledged_at >= date_trunc('day', s.submitted_at, 'UTC')
          AND (s.next_submitted_at IS NULL OR a.acknowledged_at < s.next_submitted_at)
      ) a ON true
      LEFT JOIN LATERAL (
        SELECT min(p.paid_at) AS decided_at, min(p.paid_at) FILTER (WHERE NOT p.reversal AND p.paid_amount > 0) AS paid_at
        FROM $build.claim_payments p
        WHERE p.claim_id = s.claim_id AND p.paid_at >= date_trunc('day', s.submitted_at, 'UTC')
          AND (s.next_submitted_at IS NULL OR p.paid_at < date_trunc('day', s.next_submitted_at, 'UTC'))
      ) p ON true
      CROSS JOIN LATERAL (VALUES
        ('acknowledged'::text, ${days.acknowledged}, least(a.at, p.decided_at, CASE l.refused_by WHEN 'TA1' THEN l.interchange_acknowledged_at
          WHEN '999' THEN l.set_acknowledged_at WHEN '277CA' THEN l.claim_acknowledged_at END)),
        ('decided', ${days.decided}, p.decided_at),
        ('paid', ${days.paid}, coalesce(p.paid_at, p.decided_at))
      ) AS x (deadline, days, met_at)
      WHERE x.deadline = 'acknowledged' OR NOT (s.voids OR coalesce(a.refused, false) OR l.refused_by IS NOT NULL)
    ) d
    WHERE d.ended_at > d.due_at`,
  columns: {
    claim_id: "The claim.",
    submission_id: "The submission that started the clock.",
    submitted_at: "Time of the submission (BHT04, BHT05); UTC.",
    partner: "Partner that sent it.",
    payer_id: "Payer as the submitter names it.",
    billed_amount: "CLM02.",
    deadline: "acknowledged (277CA), decided (835), or paid (835 with an amount, or a decision without one).",
    due_at: "When it was due; UTC.",
    met_at: "When it was met, too late, by the answer's own date; null when it was not.",
    open: "Whether nothing came yet.",
    days_over: "Days over the deadline: when it was met, when the claim was sent anew, or now.",
  },
};
