import { readSample } from "../../producers/fhir/testing/corpus.js";
import type { TestInstallation } from "../installation.js";
import { sendFile } from "./sending.js";

/** Types of the journeys' bulk files. */
export const journeyTypes = ["Organization", "Patient", "Encounter", "Claim", "ExplanationOfBenefit"] as const;

/** Sends bulk files of the journeys. @returns how many resources were answered, and how. */
export async function sendFhirJourneys(
  installation: TestInstallation,
  types: readonly (typeof journeyTypes)[number][],
): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (const type of types) {
    const file = `fhir/journeys/${type}.ndjson.gz`;
    for (const { answer } of await sendFile(installation, "fhir", file, readSample(file)))
      answers[answer ?? "none"] = (answers[answer ?? "none"] ?? 0) + 1;
  }
  return answers;
}

/** Names of FHIR resources are the only ones of this form: X12 and HL7 v2 samples have none. */
const uuid = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

/** What the tables say of the journeys' resources. */
export async function shownFhirJourneys(installation: TestInstallation): Promise<Record<string, unknown>> {
  const [patients] = await installation.query(
    `SELECT count(*)::int AS count, (count(*) FILTER (WHERE sex = 'F'))::int AS female,
       (count(*) FILTER (WHERE deceased))::int AS deceased
     FROM projections_restricted.patients JOIN projections_restricted.patient_identifiers USING (patient_id)
     WHERE authority = 'generic' AND type = 'RI'`,
  );
  const [visits] = await installation.query(
    `SELECT count(*)::int AS count, (count(*) FILTER (WHERE status = 'finished'))::int AS finished,
       (count(*) FILTER (WHERE class = 'AMB'))::int AS ambulatory, count(DISTINCT patient_id)::int AS patients
     FROM projections_restricted.visits WHERE visit_number ~ '${uuid}'`,
  );
  const [claims] = await installation.query(
    `SELECT count(*)::int AS count, sum(billed_amount)::text AS billed, sum(paid_amount)::text AS paid,
       (count(*) FILTER (WHERE submission_missing))::int AS unsubmitted,
       (count(*) FILTER (WHERE visit_id IN (SELECT visit_id FROM projections_restricted.visits)))::int AS with_visit
     FROM projections_restricted.claims WHERE patient_control_number ~ '${uuid}'`,
  );
  return { patients, visits, claims };
}
