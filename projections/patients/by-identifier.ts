import type { View } from "../../engine/projector/definition.js";

/**
 * Visits and claims name patients by surrogate ids, and some know nothing but a number: a logical reference of FHIR, the
 * payer's member number in an 837. That number's surrogate id is the `identifier_id` of the record that has it, whichever
 * was told first, so a join finds the record, where a translation, which looks nothing up, could not.
 */
export const byIdentifierView: View = {
  comment:
    "The record that a visit or claim means which names its patient by an identifier that is none's own: join its patient_id here.",
  sql: `
    SELECT i.identifier_id,
      (array_agg(i.patient_id ORDER BY r.status <> 'active', i.patient_id))[1] AS patient_id
    FROM $build.patient_identifiers i
    JOIN $build.patients r ON r.patient_id = i.patient_id
    LEFT JOIN (SELECT person_id, unnest(patient_ids) AS patient_id FROM $build.persons) p ON p.patient_id = i.patient_id
    WHERE NOT EXISTS (SELECT FROM $build.patients o WHERE o.patient_id = i.identifier_id)
    GROUP BY i.identifier_id
    HAVING count(DISTINCT coalesce(p.person_id, i.patient_id)) = 1`,
  columns: {
    identifier_id:
      "Surrogate id of an identifier that is not itself a record's: what visits and claims may have as patient_id.",
    patient_id:
      "The record that has it, one in use before a merged one; of several records of one person the smallest id. None where records of different persons have it.",
  },
};
