import type { View } from "../../engine/projector/definition.js";

/**
 * How many hours a rung of the ladder may take before it counts as overdue: what operating rules and payers' companion
 * guides commonly promise (CAQH CORE: a 999 within an hour of a batch, at the latest the next day). Whoever has other
 * promises sets `tributary.patience_999` and the like on the database, or for a session. An as-of has these.
 */
const patience = { TA1: 24, "999": 24, "277CA": 72, "835": 30 * 24 } as const;

/**
 * A batch is turned away within days: what comes later is about another one, whose sender used the number again. Only a
 * refusal says anything of the claims in it, and what is said of a claim itself has the word.
 */
const batchDays = 30;

const overdue = Object.entries(patience)
  .map(([rung, hours]) => `WHEN '${rung}' THEN coalesce($setting(patience_${rung.toLowerCase()})::numeric, ${hours})`)
  .join(" ");

/**
 * The acknowledgment ladder: one row a submission, with what it was answered and what it still waits for. Its clock is the
 * question's: no fold reads one.
 *
 * An acknowledgment counts for the last submission under its control numbers that came before it (a day's difference
 * between two clocks allowed), since senders use their numbers again. Of two of one minute the content decides, as it does
 * among payments: so the ladder is the same in every build.
 */
export const ladderView: View = {
  comment:
    "The acknowledgment ladder: one row a submission of a claim by X12, with its answers (TA1, 999, 277CA, 835) and what it still waits for.",
  sql: `
    SELECT l.*,
      CASE WHEN l.waiting_for IS NULL THEN NULL
        ELSE round((extract(epoch FROM $now - l.waiting_since) / 3600)::numeric, 1) END AS waiting_hours,
      l.waiting_for IS NOT NULL AND $now - l.waiting_since
        > CASE l.waiting_for ${overdue} END * interval '1 hour' AS overdue
    FROM (
      SELECT s.claim_id, s.submission_id, s.submitted_at, s.partner, s.payer_id, s.frequency_code, s.billed_amount,
        s.interchange_control, s.group_control, s.set_control, s.batch_reference,
        s.next_submitted_at IS NULL AS latest,
        t.acknowledged_at AS interchange_acknowledged_at, t.verdict AS interchange_verdict,
        g.acknowledged_at AS set_acknowledged_at, g.verdict AS set_verdict,
        c.acknowledged_at AS claim_acknowledged_at, c.verdict AS claim_verdict,
        CASE WHEN c.verdict = 'rejected' THEN c.level END AS claim_refused_with,
        p.paid_at AS decided_at,
        CASE WHEN t.verdict = 'rejected' THEN 'TA1' WHEN g.verdict = 'rejected' THEN '999'
          WHEN c.verdict = 'rejected' THEN '277CA' END AS refused_by,
        CASE WHEN s.next_submitted_at IS NOT NULL OR p.paid_at IS NOT NULL
            OR 'rejected' IN (t.verdict, g.verdict, c.verdict) THEN NULL
          WHEN c.acknowledged_at IS NOT NULL THEN CASE WHEN s.voids THEN NULL ELSE '835' END
          WHEN g.acknowledged_at IS NOT NULL THEN '277CA'
          WHEN s.acknowledgment_requested AND t.acknowledged_at IS NULL THEN 'TA1'
          ELSE '999' END AS waiting_for,
        coalesce(c.acknowledged_at, g.acknowledged_at, t.acknowledged_at, s.submitted_at) AS waiting_since
      FROM (
        SELECT *, lead(submitted_at) OVER (PARTITION BY claim_id ORDER BY submitted_at, content_hash, submission_id)
          AS next_submitted_at
        FROM $build.claim_submissions
      ) s
      LEFT JOIN LATERAL (
        SELECT a.acknowledged_at, a.verdict FROM $build.interchange_acknowledgments a
        WHERE a.transmission_id = s.interchange_id AND a.acknowledged_at >= s.submitted_at - interval '24 hours'
          AND NOT EXISTS (SELECT FROM $build.claim_submissions n WHERE n.interchange_id = s.interchange_id
            AND n.submitted_at > s.submitted_at + interval '24 hours' AND n.submitted_at <= a.acknowledged_at)
        ORDER BY a.acknowledged_at, a.answer_id COLLATE "C" LIMIT 1
      ) t ON true
      LEFT JOIN LATERAL (
        SELECT a.acknowledged_at, coalesce(k.verdict, a.verdict) AS verdict FROM $build.interchange_acknowledgments a
        LEFT JOIN $build.set_acknowledgments k ON k.transmission_id = a.transmission_id AND k.answer_id = a.answer_id
          AND k.set_control = s.set_control
        WHERE a.transmission_id = s.group_id AND a.acknowledged_at >= s.submitted_at - interval '24 hours'
          AND NOT EXISTS (SELECT FROM $build.claim_submissions n WHERE n.group_id = s.group_id
            AND n.submitted_at > s.submitted_at + interval '24 hours' AND n.submitted_at <= a.acknowledged_at)
        ORDER BY a.acknowledged_at, a.answer_id COLLATE "C" LIMIT 1
      ) g ON true
      LEFT JOIN LATERAL (
        SELECT a.acknowledged_at, a.verdict, 'claim' AS level FROM $build.claim_acknowledgments a
        WHERE a.claim_id = s.claim_id AND (a.batch_id = s.batch_id
          OR (a.acknowledged_at >= CASE WHEN a.day_only THEN date_trunc('day', s.submitted_at, 'UTC') ELSE s.submitted_at END
            AND (s.next_submitted_at IS NULL OR a.acknowledged_at < s.next_submitted_at)))
        ORDER BY a.batch_id = s.batch_id DESC NULLS LAST, a.acknowledged_at DESC, a.content_hash DESC LIMIT 1
      ) o ON true
      LEFT JOIN LATERAL (
        SELECT a.acknowledged_at, a.verdict,
          CASE WHEN a.transmission_id = s.batch_id THEN 'batch' ELSE 'provider' END AS level
        FROM $build.interchange_acknowledgments a
        WHERE a.transmission_id IN (s.batch_id, s.batch_part_id) AND a.verdict = 'rejected'
          AND a.acknowledged_at >= s.submitted_at - interval '24 hours'
          AND a.acknowledged_at < s.submitted_at + interval '${batchDays} days'
          AND (s.next_submitted_at IS NULL OR a.acknowledged_at < s.next_submitted_at)
        ORDER BY a.acknowledged_at, a.answer_id COLLATE "C" LIMIT 1
      ) b ON true
      LEFT JOIN LATERAL (
        SELECT coalesce(o.acknowledged_at, b.acknowledged_at) AS acknowledged_at, coalesce(o.verdict, b.verdict) AS verdict,
          CASE WHEN o.verdict IS NULL THEN b.level ELSE o.level END AS level
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT d.paid_at FROM $build.claim_payments d
        WHERE d.claim_id = s.claim_id AND d.paid_at >= date_trunc('day', s.submitted_at, 'UTC')
          AND (s.next_submitted_at IS NULL OR d.paid_at < date_trunc('day', s.next_submitted_at, 'UTC'))
        ORDER BY d.paid_at LIMIT 1
      ) p ON true
      WHERE s.interchange_id IS NOT NULL
    ) l`,
  columns: {
    claim_id: "The claim.",
    submission_id: "The submission.",
    submitted_at: "Time of the submission (BHT04, BHT05); UTC.",
    partner: "Partner that sent it.",
    payer_id: "Payer as the submitter names it.",
    frequency_code: "CLM05-3 as sent.",
    billed_amount: "CLM02.",
    interchange_control: "ISA13.",
    group_control: "GS06.",
    set_control: "ST02.",
    batch_reference: "BHT03.",
    latest: "Whether it is the claim's last submission.",
    interchange_acknowledged_at: "When the TA1 was written.",
    interchange_verdict: "What the TA1 says.",
    set_acknowledged_at: "When the 999 (or 997) was written.",
    set_verdict: "What it says of the set, else of its group.",
    claim_acknowledged_at: "When the 277CA of this submission was written.",
    claim_verdict:
      "What it says of the claim, else that it turns away the whole batch or all of its provider's claims.",
    claim_refused_with:
      "What a 277CA turned away: claim, provider (all of its claims in the batch), batch; null when it didn't.",
    decided_at: "Day of the first remittance (835) after it.",
    refused_by: "The acknowledgment that refused it: TA1, 999, 277CA; null when none did.",
    waiting_for:
      "The next answer due: TA1 (where asked for), 999, 277CA, 835; null when it was decided, refused or sent anew.",
    waiting_since: "When the last answer was given, else when it was submitted.",
    waiting_hours: "Hours since then, now; null when nothing is due.",
    overdue: `Whether that is longer than usual: TA1 and 999 ${patience["999"]} hours, 277CA ${patience["277CA"] / 24} days, 835 ${patience["835"] / 24} days, or as tributary.patience_ta1, _999, _277ca and _835 (hours) say.`,
  },
};
