import type { View } from "../../engine/projector/definition.js";

/** Hours between what happened and its recording that are nothing special: a day's batch files among them. */
const usualHours = 24;

/** When what is told was over at the latest: a payment of a day may be of its last minute. */
const over = `t.occurred_at + CASE t.time_precision WHEN 'YEAR' THEN interval '1 year' WHEN 'MONTH' THEN interval '1 month'
        WHEN 'DAY' THEN interval '1 day' WHEN 'HOUR' THEN interval '1 hour' WHEN 'MINUTE' THEN interval '1 minute'
        ELSE interval '0' END`;

/**
 * What was recorded long after it happened: sent late, or told of the past afterwards. Whoever was asked in between answered
 * without it: `audit as-of` shows what was known, and with an effective moment what was true. What a unit says that was
 * translated again is not among them: its recorded time is that of the translation, which no partner sent late.
 */
export const lateEventsView: View = {
  comment: `Back-dated and late events: recorded more than ${usualHours} hours after they happened, as exactly as their sender told; without what was translated again.`,
  sql: `
    SELECT t.event_id, t.event_type, t.patient_id, t.visit_id, t.claim_id, t.remittance_id, t.partner, t.occurred_at,
      t.recorded_at, round((extract(epoch FROM t.recorded_at - (${over})) / 3600)::numeric, 1) AS hours_late,
      CASE
        WHEN t.claim_id IS NOT NULL THEN EXISTS (SELECT FROM $build.timeline o
          WHERE o.claim_id = t.claim_id AND o.recorded_at < t.recorded_at AND o.occurred_at > t.occurred_at)
        WHEN t.visit_id IS NOT NULL THEN EXISTS (SELECT FROM $build.timeline o
          WHERE o.visit_id = t.visit_id AND o.recorded_at < t.recorded_at AND o.occurred_at > t.occurred_at)
        ELSE EXISTS (SELECT FROM $build.timeline o
          WHERE o.patient_id = t.patient_id AND o.recorded_at < t.recorded_at AND o.occurred_at > t.occurred_at)
      END AS back_dated,
      t.topic, t.partition, t."offset", t.journal_partition, t.journal_offset
    FROM $build.timeline t WHERE t.generation IS NULL AND t.recorded_at - (${over}) > interval '${usualHours} hours'`,
  columns: {
    event_id: "Id of the event.",
    event_type: "Type of the event.",
    patient_id: "The patient concerned, when the event names one.",
    visit_id: "The visit concerned.",
    claim_id: "The claim concerned.",
    remittance_id: "The remittance concerned.",
    partner: "Partner whose message the event was made from.",
    occurred_at: "When it happened, by the message's own time; UTC.",
    recorded_at: "When the engine recorded the unit.",
    hours_late: "Hours between the two; of a day, a month or a year from its end on.",
    back_dated: "Whether something that happened later to the same claim, visit or patient was recorded before it.",
    topic: "Topic of the event.",
    partition: "Partition of the event.",
    offset: "Offset of the event in its partition.",
    journal_partition: "Partition of the unit in the journal.",
    journal_offset: "Offset of the unit in the journal.",
  },
};
