import {
  boolean,
  date,
  hidden,
  indexed,
  instant,
  integer,
  json,
  money,
  oneOf,
  table,
  text,
  texts,
  uuid,
} from "../../engine/projector/definition.js";
import { details } from "./details.js";

/** What an acknowledgment says. */
export const verdicts = ["accepted", "accepted_with_errors", "partially_accepted", "rejected"] as const;

const answer = {
  partner: text("Partner that sent it."),
  patient_id: uuid("The patient, when the answer named a member."),
  payer_id: text("Payer, or whoever answers for it."),
  provider_npi: text("NPI of the provider."),
};

const claim_acknowledgments = table({
  key: ["claim_id", "answer_id"],
  comment: "Acknowledgments of claims before they are decided (277CA).",
  columns: {
    claim_id: uuid("The claim."),
    answer_id: text("Time, content hash and partner: the same answer sent again is one."),
    acknowledged_at: instant("Time of the acknowledgment (BHT04, BHT05); UTC."),
    verdict: oneOf(
      ["accepted", "rejected"],
      "accepted: A0, A1, A2, A5; rejected: A3, A6, A7, A8; null when its codes say neither.",
    ),
    ...answer,
    batch_id: uuid("The batch that held the claim: sender, receiver, BHT03."),
    day_only: hidden(boolean("Whether the time is a day's start for want of a time.")),
    content_hash: hidden(text("Decides between acknowledgments of equal time.")),
    ...details,
  },
});

const claim_status_reports = table({
  key: ["claim_id", "answer_id"],
  comment:
    "What payers told on inquiry (277, answer to a 276). Decides nothing: status and money are the remittance's.",
  columns: {
    claim_id: uuid("The claim."),
    answer_id: text("Time, content hash and partner: the same answer sent again is one."),
    reported_at: instant("Time of the report (BHT04, BHT05); UTC."),
    ...answer,
    charge_amount: money("Charge as the payer has it (STC04)."),
    paid_amount: money("Paid as the payer has it (STC05)."),
    ...details,
  },
});

const claim_status_codes = table({
  key: ["claim_id", "answer_id", "ordinal"],
  comment: "Status codes of acknowledgments and reports, of the claim and of its lines (STC).",
  columns: {
    claim_id: uuid("The claim."),
    answer_id: text("The acknowledgment or report."),
    ordinal: integer("Ordinal in the answer, from 1."),
    level: oneOf(["claim", "line"], "Whether it is about the claim or a line."),
    line_number: integer("Ordinal of the line in the answer, from 1; null at claim level."),
    category_code: text("Claim status category (STC01-1), e.g. A2."),
    status_code: text("Claim status (STC01-2)."),
    entity_code: text("Entity the status is about (STC01-3)."),
    action_code: text("STC03: WQ accepted, U rejected."),
    amount: money("Charge it is about (STC04)."),
    effective_date: date("Day from which it holds (STC02)."),
  },
});

const interchange_acknowledgments = table({
  key: ["transmission_id", "answer_id"],
  comment: "Acknowledgments of interchanges (TA1), functional groups (999, 997) and batches of claims (277CA).",
  columns: {
    transmission_id: uuid("What is acknowledged: interchange_id, group_id or batch_id of claim_submissions."),
    answer_id: text("Time, content hash and partner: the same answer sent again is one."),
    acknowledged_at: indexed(instant("When it was written, by its sender's clock; UTC.")),
    partner: text("Partner that sent it."),
    form: text("TA1, 999, 997 or 277CA."),
    sender: text("Who had sent what is acknowledged (ISA06 there)."),
    receiver: text("Who acknowledges it."),
    control: text("ISA13, GS06 or BHT03 of what is acknowledged."),
    functional_id: text("GS01 of a group."),
    verdict: oneOf(verdicts, "TA104, AK901, or the status of the batch."),
    codes: texts("TA105, AK905 to AK909, or category codes of the batch."),
    sets_declared: integer("AK902."),
    sets_received: integer("AK903."),
    sets_accepted: integer("AK904."),
  },
});

const set_acknowledgments = table({
  key: ["transmission_id", "answer_id", "ordinal"],
  comment: "What a 999 or 997 says about each transaction set of its group.",
  columns: {
    transmission_id: uuid("The functional group."),
    answer_id: text("The acknowledgment."),
    ordinal: integer("Ordinal of the set in the acknowledgment, from 1."),
    set_type: text("ST01 of the set."),
    set_control: text("ST02 of the set."),
    verdict: oneOf(verdicts, "IK501, AK501."),
    codes: texts("IK502 to IK506."),
    errors: json("Segments in error with their elements: places and codes, never values (IK3, IK4)."),
  },
});

export const answerTables = {
  claim_acknowledgments,
  claim_status_reports,
  claim_status_codes,
  interchange_acknowledgments,
  set_acknowledgments,
} as const;
