/** Statuses an analyst sees. `replaced` is decided beside the claim's own facts (see replacements.ts). */
export const claimStatuses = [
  "submitted",
  "acknowledged",
  "rejected",
  "adjudicated",
  "denied",
  "paid",
  "reversed",
  "replaced",
  "voided",
] as const;
export type ClaimStatus = (typeof claimStatuses)[number];

/** A submission of a claim, as kept in `claim_submissions`. Instants are epoch milliseconds, amounts cents. */
export interface Submission {
  readonly submission_id: string;
  readonly submitted_at: number;
  readonly content_hash: string;
  readonly voids: boolean;
  /** Batch (BHT03) that held it, when known. */
  readonly batch_id: string | null;
}

/** A payer's acknowledgment of a claim (277CA), as kept in `claim_acknowledgments`. */
export interface Acknowledgment {
  readonly answer_id: string;
  readonly acknowledged_at: number;
  readonly content_hash: string;
  readonly verdict: "accepted" | "rejected" | null;
  readonly batch_id: string | null;
  /** Its time is the start of its day, for want of a time. */
  readonly day_only: boolean;
}

/** A payer's decision, payment or reversal, as kept in `claim_payments`. */
export interface Payment {
  readonly remittance_id: string;
  readonly occurrence: number;
  readonly paid_at: number;
  readonly content_hash: string;
  readonly reversal: boolean;
  /** CLP02. */
  readonly status_code: string;
  readonly paid_amount: number;
  readonly patient_amount: number;
  readonly allowed_amount: number | null;
  readonly adjusted_amount: number;
  readonly balanced: boolean;
}

const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Submissions by their business clock (BHT04/05), equal ones by content. */
export function inOrder<S extends Submission>(submissions: readonly S[]): readonly S[] {
  return [...submissions].sort(
    (left, right) =>
      left.submitted_at - right.submitted_at ||
      byText(left.content_hash, right.content_hash) ||
      byText(left.submission_id, right.submission_id),
  );
}

/** Payments by their business clock (BPR16), on one day reversals first, then by content. */
export function inPaymentOrder<P extends Payment>(payments: readonly P[]): readonly P[] {
  return [...payments].sort(
    (left, right) =>
      left.paid_at - right.paid_at ||
      Number(right.reversal) - Number(left.reversal) ||
      byText(left.content_hash, right.content_hash) ||
      byText(left.remittance_id, right.remittance_id) ||
      left.occurrence - right.occurrence,
  );
}

/** Acknowledgments by their business clock (BHT04/05), equal ones by content. */
export function inAcknowledgmentOrder<A extends Acknowledgment>(acknowledgments: readonly A[]): readonly A[] {
  return [...acknowledgments].sort(
    (left, right) =>
      left.acknowledged_at - right.acknowledged_at ||
      byText(left.content_hash, right.content_hash) ||
      byText(left.answer_id, right.answer_id),
  );
}

/** The submission whose charges and lines the claim has: the last, but a void keeps what it withdraws. */
export function billingOf<S extends Submission>(ordered: readonly S[]): S | undefined {
  return ordered.findLast(({ voids }) => !voids) ?? ordered.at(-1);
}

/** CLP02 of a decision to pay: primary, secondary, tertiary, and the same forwarded. */
const processed = new Set(["1", "2", "3", "19", "20", "21"]);

function decided({ reversal, status_code, paid_amount }: Payment): ClaimStatus {
  if (reversal) return "reversed";
  if (status_code === "4") return "denied";
  return processed.has(status_code) && paid_amount > 0 ? "paid" : "adjudicated";
}

const day = (instant: number): number => Math.floor(instant / 86_400_000);

/** What the payments of a claim come to, net of reversals. Amounts in cents. */
export interface ClaimMoney {
  readonly paid: number;
  readonly patient: number;
  readonly adjusted: number;
  /** Null when no decision that stands states one. */
  readonly allowed: number | null;
  /** Null without payments. */
  readonly balanced: boolean | null;
}

function moneyOf(payments: readonly Payment[]): ClaimMoney {
  const sum = (of: (payment: Payment) => number) => payments.reduce((total, payment) => total + of(payment), 0);
  // Payers seldom state a negative allowed amount, so a reversal takes back what the decision before it allowed.
  const standing: Payment[] = [];
  for (const payment of payments) {
    if (payment.reversal) standing.pop();
    else standing.push(payment);
  }
  const allowed = standing.map(({ allowed_amount }) => allowed_amount).filter((amount) => amount !== null);
  return {
    paid: sum(({ paid_amount }) => paid_amount),
    patient: sum(({ patient_amount }) => patient_amount),
    adjusted: sum(({ adjusted_amount }) => adjusted_amount),
    allowed: allowed.length > 0 ? allowed.reduce((total, amount) => total + amount, 0) : null,
    balanced: payments.length > 0 ? payments.every(({ balanced }) => balanced) : null,
  };
}

export interface ClaimState {
  readonly status: ClaimStatus;
  readonly money: ClaimMoney;
  readonly submittedAt: number | null;
  readonly acknowledgedAt: number | null;
  readonly adjudicatedAt: number | null;
}

/**
 * The acknowledgment of the last submission: the last that names its batch; where none does, the last that came after it
 * and names the batch of no other submission.
 */
function acknowledgmentOf(
  submissions: readonly Submission[],
  acknowledgments: readonly Acknowledgment[],
): Acknowledgment | undefined {
  const submission = submissions.at(-1);
  if (!submission) return acknowledgments.at(-1);
  const own = acknowledgments.findLast(({ batch_id }) => batch_id !== null && batch_id === submission.batch_id);
  if (own) return own;
  return acknowledgments.findLast(
    ({ acknowledged_at, batch_id, day_only }) =>
      (day_only ? day(acknowledged_at) >= day(submission.submitted_at) : acknowledged_at >= submission.submitted_at) &&
      !submissions.some((other) => batch_id !== null && other.batch_id === batch_id),
  );
}

function statusOf(
  submission: Submission | undefined,
  payment: Payment | undefined,
  acknowledgment: Acknowledgment | undefined,
): ClaimStatus {
  const accepted = acknowledgment?.verdict === "accepted";
  const acknowledgedOn = acknowledgment ? day(acknowledgment.acknowledged_at) : Number.NEGATIVE_INFINITY;
  // The payer takes back what it paid for a claim withdrawn, so the reversal after it is not the last word.
  const paidAfter = payment && !payment.reversal && day(payment.paid_at) > acknowledgedOn;
  if (submission?.voids && accepted && !paidAfter) return "voided";
  const answered = payment && (!submission || day(submission.submitted_at) <= day(payment.paid_at));
  const refusedAfter = acknowledgment?.verdict === "rejected" && payment && acknowledgedOn > day(payment.paid_at);
  if (answered && !refusedAfter) return decided(payment);
  if (accepted) return "acknowledged";
  return acknowledgment?.verdict === "rejected" ? "rejected" : "submitted";
}

/**
 * Status and money of a claim: a function of the set of its facts, so every order of arrival gives the same row.
 * Takes all lists in their order.
 *
 * The last fact has the word. Payments carry a day, submissions a time: on one day a payment comes after a submission,
 * since it answers one. An acknowledgment stands for the submission it answers: a payment that answers the same
 * submission is further on, unless the acknowledgment is a refusal of a later day.
 */
export function claimState(
  submissions: readonly Submission[],
  payments: readonly Payment[],
  acknowledgments: readonly Acknowledgment[],
): ClaimState {
  const submission = submissions.at(-1);
  const payment = payments.at(-1);
  return {
    status: statusOf(submission, payment, acknowledgmentOf(submissions, acknowledgments)),
    money: moneyOf(payments),
    submittedAt: submission?.submitted_at ?? null,
    acknowledgedAt: acknowledgments.at(-1)?.acknowledged_at ?? null,
    adjudicatedAt: payment?.paid_at ?? null,
  };
}
