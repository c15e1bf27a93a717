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
import { answerTables } from "./answer-tables.js";
import { claimStatuses } from "./claim-state.js";
import { currency } from "./currency.js";
import { details } from "./details.js";

export const claimKinds = ["professional", "institutional", "dental", "pharmacy"] as const;

/** How a submission travelled: what its acknowledgments name it by. Null where it came otherwise than by X12. */
const transmissionColumns = {
  interchange_id: indexed(uuid("The interchange: sender, receiver, ISA13.")),
  group_id: indexed(uuid("The functional group: sender, receiver, GS01, GS06.")),
  batch_id: uuid("The batch: sender, receiver, BHT03."),
  interchange_control: text("ISA13."),
  group_control: text("GS06."),
  set_control: text("ST02."),
  batch_reference: text("BHT03."),
  batch_part_id: uuid("What the batch has of the claim's billing provider."),
  acknowledgment_requested: boolean("Whether a TA1 was asked for (ISA14)."),
};

const claims = table({
  key: ["claim_id"],
  history: true,
  comment: "One row a claim (billing provider and CLM01), resubmissions, replacements, voids and payments applied.",
  columns: {
    claim_id: uuid("Surrogate id of the claim: billing provider and CLM01."),
    patient_id: indexed(uuid("The patient, as the last submission that names one says, else the last payment.")),
    visit_id: indexed(uuid("The visit, when a submission names one.")),
    partner: text("Partner that sent the last submission, else the last payment."),
    payer_id: text("Payer as the last submission names it, else the last payment."),
    provider_npi: text("NPI of the billing provider."),
    kind: oneOf(claimKinds, "Kind of claim."),
    frequency_code: text("Frequency (CLM05-3) of the last submission: 1 original, 7 replacement, 8 void."),
    status: indexed(
      oneOf(
        claimStatuses,
        "What the last fact by its own date says. submitted: not answered; paid, denied, adjudicated (decided without payment), reversed: as the payer's remittance; replaced: another claim stands for it (replaced_by_claim_id).",
      ),
    ),
    billed_amount: money("Charge (CLM02) of the last submission; a void keeps it."),
    currency: currency("of the last submission, else of the last payment"),
    allowed_amount: money("Allowed by the decisions that stand; null when none states it."),
    paid_amount: money("Paid (CLP04), net of reversals; 0 when nothing was."),
    patient_amount: money("Patient responsibility (CLP05), net of reversals."),
    adjusted_amount: money("All adjustments (CAS), patient responsibility included, net of reversals."),
    balanced: boolean("Whether every payment's charge less adjustments is what it pays; null without payments."),
    submission_missing: boolean("True when the payer answered a claim that was never submitted here."),
    submitted_at: instant("Time of the last submission (BHT04, BHT05); UTC."),
    acknowledged_at: instant("Time of the last acknowledgment (277CA); UTC."),
    adjudicated_at: instant("Day of the last payment or reversal (BPR16), its start in UTC."),
    facility_code: text("Place of service or facility type (CLM05-1)."),
    diagnosis_codes: texts("Diagnoses in order, without the decimal point."),
    ...details,
  },
});

const claim_lines = table({
  key: ["claim_id", "line_number"],
  comment: "Service lines of a claim, as its last submission that is no void has them.",
  columns: {
    claim_id: uuid("The claim."),
    line_number: integer("Number of the line (LX01)."),
    procedure_qualifier: text("Product or service id qualifier, e.g. HC."),
    procedure_code: text("Procedure code."),
    modifiers: texts("Procedure modifiers."),
    revenue_code: text("Revenue code of an institutional line."),
    charge_amount: money("Line charge."),
    units: text("Units or minutes as sent."),
    service_date: date("First day of service."),
    service_date_end: date("Last day of service when a range was given."),
  },
});

const claim_submissions = table({
  key: ["claim_id", "submission_id"],
  comment: "Every submission of a claim: original, resubmission, replacement, void.",
  columns: {
    claim_id: uuid("The claim."),
    submission_id: text(
      "Time, frequency, content hash and partner: the same claim sent again at the same time is one.",
    ),
    submitted_at: instant("Time of the submission (BHT04, BHT05); UTC."),
    partner: text("Partner that sent it."),
    patient_id: uuid("The patient, when the claim named a member."),
    visit_id: uuid("The visit, when the sender names one."),
    payer_id: text("Payer as the submitter names it."),
    provider_npi: text("NPI of the billing provider."),
    kind: oneOf(claimKinds, "Kind of claim."),
    frequency_code: text("CLM05-3 as sent."),
    voids: boolean("Whether it withdraws the claim (frequency 8)."),
    billed_amount: money("CLM02."),
    currency: currency("of its amounts"),
    facility_code: text("CLM05-1."),
    diagnosis_codes: texts("Diagnoses in order."),
    ...transmissionColumns,
    content_hash: hidden(text("Decides between submissions of equal time.")),
    ...details,
  },
});

const claim_payments = table({
  key: ["claim_id", "remittance_id", "occurrence"],
  history: true,
  comment: "What payers decided on a claim: payments, denials and reversals. One seen through two channels is one row.",
  columns: {
    claim_id: uuid("The claim."),
    remittance_id: uuid("The remittance: payer and trace number."),
    occurrence: integer("Ordinal of the claim in its remittance, from 1."),
    paid_at: instant("Day of the payment (BPR16), its start in UTC."),
    partner: text("Partner that sent it."),
    patient_id: uuid("The patient, when the remittance named a member."),
    payer_id: text("Payer of the remittance."),
    provider_npi: text("NPI of the payee."),
    trace_number: text("TRN02."),
    status_code: text("CLP02: 1 primary, 2 secondary, 3 tertiary, 4 denied, 22 reversal, ..."),
    reversal: boolean("Whether it takes an earlier payment back."),
    charge_amount: money("CLP03."),
    paid_amount: money("CLP04; negative when taken back."),
    patient_amount: money("CLP05; of a reversal without one, its patient responsibility adjustments."),
    allowed_amount: money("Allowed amount as stated."),
    adjusted_amount: money("Sum of its adjustments (CAS)."),
    balanced: boolean("Whether CLP03 less all adjustments is CLP04."),
    difference: money("CLP04 less (CLP03 less all adjustments); 0 when balanced."),
    currency: currency("of its amounts"),
    remark_codes: texts("Remittance advice remark codes of the claim (MIA, MOA)."),
    adjudication: json("Days, rates and amounts of MIA and MOA by their place, as sent."),
    content_hash: hidden(text("Decides between payments of equal day.")),
    told_at: hidden(instant("When its sender told it, by its own clock: decides between versions of one decision.")),
    detail: hidden(integer("How many lines and adjustments it came with.")),
    ...details,
  },
});

const claim_payment_lines = table({
  key: ["claim_id", "remittance_id", "occurrence", "line_number"],
  comment: "Service lines of a payment.",
  columns: {
    claim_id: uuid("The claim."),
    remittance_id: uuid("The remittance."),
    occurrence: integer("Ordinal of the claim in its remittance, from 1."),
    line_number: integer("Ordinal of the line in the payment, from 1."),
    procedure_qualifier: text("Qualifier of the procedure paid."),
    procedure_code: text("Procedure code paid."),
    charge_amount: money("Line charge."),
    paid_amount: money("Line payment."),
    allowed_amount: money("Allowed amount as stated."),
    service_date: date("Day of service."),
    adjusted_amount: money("Sum of the line's adjustments (CAS)."),
    balanced: boolean("Whether SVC02 less the line's adjustments is SVC03."),
    difference: money("SVC03 less (SVC02 less the line's adjustments); 0 when balanced."),
    remark_codes: texts("Remittance advice remark codes of the line (LQ*HE)."),
  },
});

const claim_adjustments = table({
  key: ["claim_id", "remittance_id", "occurrence", "ordinal"],
  comment: "Adjustments of claims and of their lines (CAS): why less was paid than billed.",
  columns: {
    claim_id: uuid("The claim."),
    remittance_id: uuid("The remittance."),
    occurrence: integer("Ordinal of the claim in its remittance, from 1."),
    ordinal: integer("Ordinal of the adjustment in the payment, from 1."),
    line_number: integer("Ordinal of the paid service line; null at claim level."),
    group_code: text("Claim adjustment group: CO contract, PR patient, OA other, PI payer, CR correction."),
    reason_code: text("Claim adjustment reason code."),
    amount: money("Amount, positive where it lowers the payment."),
    quantity: text("Units adjusted, as sent."),
  },
});

const claim_numbers = table({
  key: ["claim_id", "relation", "number"],
  hidden: true,
  comment: "Payer's numbers (keyed hashes) that a claim is known by, or that it replaces.",
  columns: {
    claim_id: uuid("The claim."),
    relation: oneOf(["known", "replaces"], "known: a payer's answer gave the claim this number."),
    number: text("Keyed hash of the payer's number."),
    at: instant("known: the first answer's day; replaces: time of the last submission that said so."),
  },
});

export const claimTables = {
  claims,
  claim_lines,
  claim_submissions,
  claim_payments,
  claim_payment_lines,
  claim_adjustments,
  claim_numbers,
  ...answerTables,
} as const;
