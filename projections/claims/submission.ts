import type { FoldContext, Row } from "../../engine/projector/definition.js";
import { openedText } from "../opened.js";
import { putClaim, submissionsOf, withDetails } from "./claim-row.js";
import { billingOf } from "./claim-state.js";
import { rememberNumber } from "./numbers.js";
import type { claimKinds, claimTables } from "./tables.js";

type SubmissionContext = FoldContext<typeof claimTables, "ClaimSubmitted" | "ClaimReplaced" | "ClaimVoided">;

/** The same claim sent again at the same time by the same partner is one submission. */
const submissionId = ({ event }: SubmissionContext): string =>
  `${event.meta.time}:${event.frequencyCode}:${event.contentHash}:${event.meta.source}`;

/**
 * A claim was submitted, replaced or voided under its own number.
 *
 * A replacement or a void has to name the payer's number of the claim (REF*F8); without it nobody can say what it is
 * about, and it changes no row.
 */
export function submit(context: SubmissionContext): undefined {
  const { type, event, sealed, tables } = context;
  const amends = type !== "ClaimSubmitted";
  if (amends && event.payerControlNumberHash === null) return;
  const id = submissionId(context);
  const row = {
    submission_id: id,
    submitted_at: event.meta.time,
    partner: event.meta.source,
    patient_id: event.patientId,
    visit_id: event.visitId,
    payer_id: event.payerId,
    provider_npi: event.providerNpi,
    kind: event.kind === "UNKNOWN" ? null : (event.kind.toLowerCase() as (typeof claimKinds)[number]),
    frequency_code: event.frequencyCode,
    voids: type === "ClaimVoided",
    billed_amount: event.billedAmount,
    currency: event.currency,
    facility_code: event.facilityCode,
    diagnosis_codes: event.diagnoses.map(({ code }) => code),
    ...routeOf(event.transmission),
    content_hash: event.contentHash,
    patient_control_number: openedText(sealed?.patientControlNumber),
    payer_control_number: openedText(sealed?.payerControlNumber),
    member_id: openedText(sealed?.memberId),
  };
  const before = tables.claim_submissions.get({ submission_id: id });
  tables.claim_submissions.put(before ? { ...withDetails(row, before), ...laterRoute(row, before) } : row);
  if (amends && event.payerControlNumberHash !== null) {
    rememberNumber(tables.claim_numbers, "replaces", event.payerControlNumberHash, event.meta.time);
  }
  const submissions = submissionsOf(tables.claim_submissions);
  if (!before && billingOf(submissions)?.submission_id === id) putLines(context);
  putClaim(tables);
}

const routeColumns = [
  "interchange_control",
  "group_control",
  "set_control",
  "interchange_id",
  "group_id",
  "batch_id",
  "batch_reference",
  "acknowledgment_requested",
  "batch_part_id",
] as const;

/** How a submission travelled. */
function routeOf(transmission: SubmissionContext["event"]["transmission"]): Row {
  return {
    interchange_control: transmission?.interchangeControl ?? null,
    group_control: transmission?.groupControl ?? null,
    set_control: transmission?.setControl ?? null,
    interchange_id: transmission?.interchangeId ?? null,
    group_id: transmission?.groupId ?? null,
    batch_id: transmission?.batchId ?? null,
    batch_reference: transmission?.batchReference ?? null,
    batch_part_id: transmission?.batchPartId ?? null,
    acknowledgment_requested: transmission?.acknowledgmentRequested ?? null,
  };
}

/** Of two ways of one submission (sent again in another interchange) the same one stays, whichever came first. */
function laterRoute(row: Row, before: Row): Row {
  const order = (one: Row) => JSON.stringify(routeColumns.map((column) => one[column] ?? ""));
  const kept = order(row) > order(before) ? row : before;
  return Object.fromEntries(routeColumns.map((column) => [column, kept[column] ?? null]));
}

function putLines({ event, tables: { claim_lines } }: SubmissionContext): void {
  for (const { line_number } of claim_lines.all()) claim_lines.delete({ line_number: line_number as number });
  let last = 0;
  for (const line of event.lines) {
    // Line numbers count up from 1; one that doesn't would hide the line that has the number already.
    const number = line.lineNumber > last ? line.lineNumber : last + 1;
    last = number;
    claim_lines.put({
      line_number: number,
      procedure_qualifier: line.procedureQualifier,
      procedure_code: line.procedureCode,
      modifiers: line.modifiers,
      revenue_code: line.revenueCode,
      charge_amount: line.chargeAmount,
      units: line.units,
      service_date: line.serviceDate,
      service_date_end: line.serviceDateEnd,
    });
  }
}
