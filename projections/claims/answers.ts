import type { FoldContext, JsonValue } from "../../engine/projector/definition.js";
import type { EventTypes } from "../../schemas/events.generated.js";
import { openedText } from "../opened.js";
import type { verdicts } from "./answer-tables.js";
import { putClaim, withDetails } from "./claim-row.js";
import { rememberNumber } from "./numbers.js";
import type { claimTables } from "./tables.js";

type AnswerContext = FoldContext<typeof claimTables, "ClaimAcknowledged" | "ClaimStatusReported">;
type Verdict = (typeof verdicts)[number];

/** The same answer sent again at the same time by the same partner is one. */
const answerId = ({
  meta,
  contentHash,
}: EventTypes["ClaimAcknowledged" | "InterchangeAcknowledged" | "ClaimStatusReported"]) =>
  `${meta.time}:${contentHash}:${meta.source}`;

const verdictOf = (verdict: string): Verdict | null =>
  verdict === "UNKNOWN" ? null : (verdict.toLowerCase() as Verdict);

const commonOf = ({ event, sealed }: AnswerContext) => ({
  answer_id: answerId(event),
  partner: event.meta.source,
  patient_id: event.patientId,
  payer_id: event.payerId,
  provider_npi: event.providerNpi,
  patient_control_number: openedText(sealed?.patientControlNumber),
  payer_control_number: openedText(sealed?.payerControlNumber),
  member_id: openedText(sealed?.memberId),
});

/** A payer's system took a claim in, or turned it away, before any decision. */
export function acknowledge(context: FoldContext<typeof claimTables, "ClaimAcknowledged">): undefined {
  const { event, tables } = context;
  const row = {
    ...commonOf(context),
    acknowledged_at: event.meta.time,
    verdict: verdictOf(event.verdict) as "accepted" | "rejected" | null,
    batch_id: event.batchId,
    day_only: event.meta.timePrecision === "DAY",
    content_hash: event.contentHash,
  };
  const before = tables.claim_acknowledgments.get({ answer_id: row.answer_id });
  tables.claim_acknowledgments.put(before ? withDetails(row, before) : row);
  putCodes(context);
  putClaim(tables);
}

/** A payer told how a claim stands. Kept beside the claim: what it decides, its remittance says. */
export function report(context: FoldContext<typeof claimTables, "ClaimStatusReported">): undefined {
  const { event, tables } = context;
  const row = {
    ...commonOf(context),
    reported_at: event.meta.time,
    charge_amount: event.chargeAmount,
    paid_amount: event.paidAmount,
  };
  const before = tables.claim_status_reports.get({ answer_id: row.answer_id });
  tables.claim_status_reports.put(before ? withDetails(row, before) : row);
  putCodes(context);
  putClaim(tables);
}

function putCodes({ event, tables }: AnswerContext): void {
  const answer_id = answerId(event);
  for (const [index, status] of event.statuses.entries()) {
    tables.claim_status_codes.put({
      answer_id,
      ordinal: index + 1,
      level: status.level === "LINE" ? "line" : "claim",
      line_number: status.lineNumber,
      category_code: status.category,
      status_code: status.status,
      entity_code: status.entity,
      action_code: status.action,
      amount: status.amount,
      effective_date: status.effectiveDate,
    });
  }
  if (event.payerControlNumberHash !== null) {
    rememberNumber(tables.claim_numbers, "known", event.payerControlNumberHash, event.meta.time);
  }
}

/** An interchange, a group or a batch was acknowledged. Which claims it held, their submissions know. */
export function acknowledgeTransmission({
  event,
  tables,
}: FoldContext<typeof claimTables, "InterchangeAcknowledged">): undefined {
  const answer_id = answerId(event);
  tables.interchange_acknowledgments.put({
    answer_id,
    acknowledged_at: event.meta.time,
    partner: event.meta.source,
    form: event.form,
    sender: event.sender,
    receiver: event.receiver,
    control: event.control,
    functional_id: event.functionalId,
    verdict: verdictOf(event.verdict),
    codes: event.codes,
    sets_declared: event.setsDeclared,
    sets_received: event.setsReceived,
    sets_accepted: event.setsAccepted,
  });
  for (const [index, set] of event.sets.entries()) {
    tables.set_acknowledgments.put({
      answer_id,
      ordinal: index + 1,
      set_type: set.setType,
      set_control: set.setControl,
      verdict: verdictOf(set.verdict),
      codes: set.codes,
      errors: set.errors as unknown as JsonValue,
    });
  }
}
