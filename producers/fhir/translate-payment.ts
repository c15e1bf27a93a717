import type { EventDraft } from "../../engine/intake/connector.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { currencyOf } from "./currency.js";
import { startOfDay } from "./datetime.js";
import { child, children, codings, type Element, number, text, typeOf } from "./element.js";
import type { AmountRole } from "./profile.js";
import { assignerOf, npiOf, targetOf } from "./reference.js";
import {
  centsOf,
  contentHash,
  hasFraction,
  type Meaning,
  type Naming,
  namingOf,
  namingOfReference,
  type Speaker,
  serverOf,
  statedTime,
  versionTime,
} from "./speaker.js";
import { detailsOf, payerNumberHash, payerOf, procedureOf, servedOn } from "./translate-claim.js";

type PaymentFields = EventInputs["ClaimAdjudicated"];
type Adjustment = NonNullable<PaymentFields["adjustments"]>[number];
type PaidLine = NonNullable<PaymentFields["lines"]>[number];
type Amounts = Partial<Record<AmountRole, number>>;

/** Amounts of a list of adjudications or totals, by what they mean; those of one meaning added up. */
function amountsOf(adjudications: readonly Element[], { profile }: Speaker): Amounts {
  const found: Amounts = {};
  for (const one of adjudications) {
    const amount = centsOf(child(one, "amount"));
    const role = codings(child(one, "category"))
      .map(({ code }) => profile.adjudication[String(code)])
      .find((known) => known !== undefined);
    if (amount !== undefined && role !== undefined) found[role] = (found[role] ?? 0) + amount;
  }
  return found;
}

/** What lowers the payment, in the words of X12 (group and reason), so that both formats are counted alike. */
function adjustmentsOf(amounts: Amounts, lineNumber: number | null): readonly Adjustment[] {
  const { submitted, eligible, deductible, coinsurance, copay, noncovered } = amounts;
  const beyond = submitted !== undefined && eligible !== undefined ? submitted - eligible : undefined;
  const told: readonly (readonly [string, string, number | undefined])[] = [
    ["CO", "45", beyond],
    ["CO", "96", noncovered],
    ["PR", "1", deductible],
    ["PR", "2", coinsurance],
    ["PR", "3", copay],
  ];
  return told.flatMap(([group, reason, amount]) =>
    amount === undefined || amount === 0 ? [] : [{ lineNumber, group, reason, amount, quantity: null }],
  );
}

interface Decision {
  readonly lines: readonly PaidLine[];
  readonly adjustments: readonly Adjustment[];
  readonly totals: Amounts;
}

/** What an ExplanationOfBenefit or ClaimResponse decides, line by line and in all. */
function decisionOf(resource: Element, speaker: Speaker): Decision {
  const lines: PaidLine[] = [];
  const adjustments: Adjustment[] = [];
  const summed: Amounts = {};
  for (const [index, item] of children(resource, "item").entries()) {
    const amounts = amountsOf(children(item, "adjudication"), speaker);
    const lineNumber = number(item, "sequence") ?? number(item, "itemSequence") ?? index + 1;
    lines.push({
      lineNumber,
      ...procedureOf(item),
      chargeAmount: amounts.submitted ?? centsOf(child(item, "net")) ?? 0,
      paidAmount: amounts.benefit ?? 0,
      allowedAmount: amounts.eligible ?? null,
      serviceDate: servedOn(item).first,
    });
    adjustments.push(...adjustmentsOf(amounts, lineNumber));
    for (const [role, amount] of Object.entries(amounts) as [AmountRole, number][])
      summed[role] = (summed[role] ?? 0) + amount;
  }
  const atClaim = amountsOf(children(resource, "adjudication"), speaker);
  const totals = { ...summed, ...atClaim, ...amountsOf(children(resource, "total"), speaker) };
  return { lines, adjustments: adjustments.length > 0 ? adjustments : adjustmentsOf(totals, null), totals };
}

/** The claim that was decided. One that isn't named stands under the decision's own name, so that its money is kept. */
function claimOf(resource: Element, speaker: Speaker): { readonly claim: Naming | undefined; readonly named: boolean } {
  const reference = child(resource, typeOf(resource) === "ClaimResponse" ? "request" : "claim");
  const claim = namingOfReference("Claim", reference, speaker);
  return { claim: claim ?? namingOf("Claim", resource, speaker), named: claim !== undefined };
}

/**
 * An ExplanationOfBenefit or a ClaimResponse: the payer's decision on a claim. What was only queued, or answers a
 * request for authorization, makes no event. One that was cancelled is paid and taken back.
 */
export function translateDecision(resource: Element, speaker: Speaker): Meaning {
  const { claim, named } = claimOf(resource, speaker);
  const patient = namingOfReference("Patient", child(resource, "patient"), speaker);
  const owners = patient ? [patient.id] : claim ? [claim.id] : [];
  const nothing = (flag: string): Meaning => ({ events: [], sealFor: owners, flags: [flag] });
  if (text(resource, "use") !== "claim") return nothing("NOT_A_CLAIM_FOR_PAYMENT");
  if (!claim) return nothing("CLAIM_UNIDENTIFIED");
  const status = text(resource, "status");
  if (status === "draft") return nothing("DRAFT");
  if (text(resource, "outcome") === "queued") return nothing("QUEUED");

  const { facts, flags, number: payerNumber } = factsOf(resource, claim, patient?.id ?? null, speaker);
  if (!named) flags.push("CLAIM_UNIDENTIFIED");
  const currency = currencyOf(resource, child(child(resource, "payment"), "amount"), flags);
  const told = {
    subject: claim.id,
    // Versions of one decision mostly have one day of payment: the server's clock says which is the last.
    ...(text(child(resource, "meta"), "lastUpdated") === undefined
      ? { time: facts.paidAt, timePrecision: "DAY" as const }
      : versionTime(resource, speaker)),
    sealed: {
      patientControlNumber: claim.value,
      payerControlNumber: payerNumber ?? null,
      ...detailsOf(resource, speaker),
    },
    sealFor: owners[0]!,
  };
  const paid: EventDraft = {
    type: "ClaimAdjudicated",
    ...told,
    fields: { ...facts, contentHash: contentHash(facts), currency, flags },
  };
  if (status !== "cancelled" && status !== "entered-in-error") return { events: [paid], sealFor: owners, flags };
  const back = takenBack(facts);
  const reversed: EventDraft = {
    type: "ClaimPaymentReversed",
    ...told,
    fields: { ...back, contentHash: contentHash(back), currency, flags },
  };
  return { events: [paid, reversed], sealFor: owners, flags };
}

type Facts = Omit<PaymentFields, "contentHash" | "currency" | "flags">;

function factsOf(resource: Element, claim: Naming, patientId: string | null, speaker: Speaker) {
  const { lines, adjustments, totals } = decisionOf(resource, speaker);
  const payment = child(resource, "payment");
  const payerId = payerOf(child(resource, "insurer"), speaker);
  const trace = text(child(payment, "identifier"), "value");
  // The payer's own number of its decision.
  const [first] = children(resource, "identifier");
  const number = typeOf(resource) === "ClaimResponse" ? text(first, "value") : undefined;
  const paidAmount = centsOf(child(payment, "amount")) ?? 0;
  const charge = totals.submitted ?? lines.reduce((sum, { chargeAmount }) => sum + chargeAmount, 0);
  const patientAmount = (totals.deductible ?? 0) + (totals.coinsurance ?? 0) + (totals.copay ?? 0);
  const balanced = charge - adjustments.reduce((sum, { amount }) => sum + amount, 0) === paidAmount;
  const named = text(resource, "id") ?? text(first, "value") ?? claim.value;
  const decision = decidedBy(resource, speaker) ?? {
    server: serverOf(speaker),
    name: `${typeOf(resource)}/${named}`,
  };
  const told =
    statedTime(text(payment, "date") ?? text(resource, "created"), speaker) ?? versionTime(resource, speaker);
  const facts: Facts = {
    patientId,
    remittanceId: remittanceId(payerId, trace, decision, speaker),
    payerId,
    providerNpi: npiOf(child(resource, "provider") ?? child(resource, "requestor"), speaker),
    traceNumber: trace ?? "",
    occurrence: 1,
    statusCode: text(resource, "outcome") === "error" ? "4" : "1",
    chargeAmount: charge,
    paidAmount,
    patientAmount,
    allowedAmount: totals.eligible ?? null,
    frequencyCode: null,
    adjustments,
    lines,
    balanced,
    payerControlNumberHash: payerNumberHash(number, speaker),
    paidAt: startOfDay(told.time),
  };
  const flags = balanced ? [] : ["PAYMENT_UNBALANCED"];
  if (hasFraction(child(payment, "amount"))) flags.push("AMOUNT_ROUNDED");
  if (patientId === null) flags.push("PATIENT_UNIDENTIFIED");
  return { facts, flags, number };
}

/** The ClaimResponse that an ExplanationOfBenefit tells again: the two are one decision, whose money counts once. */
function decidedBy(resource: Element, speaker: Speaker): Decided | undefined {
  const target = targetOf(child(resource, "claimResponse"), speaker);
  if (target.kind !== "id") return undefined;
  return { server: assignerOf(target.at, speaker.home, speaker), name: `ClaimResponse/${target.id}` };
}

/** What names a decision: who assigned its id, and type and id. */
interface Decided {
  readonly server: string;
  readonly name: string;
}

/** A payment is known by payer and trace, as in an 835. A decision that names no payment stands for itself. */
function remittanceId(payer: string, trace: string | undefined, own: Decided, { surrogate }: Speaker): string {
  if (trace !== undefined) return surrogate("remittance", payer, "", trace);
  return surrogate("remittance", own.server, "decision", own.name);
}

/** The same decision with all its money the other way. */
function takenBack(facts: Facts): Facts {
  const minus = (amount: number) => (amount === 0 ? 0 : -amount);
  return {
    ...facts,
    occurrence: 2,
    statusCode: "22",
    chargeAmount: minus(facts.chargeAmount),
    paidAmount: minus(facts.paidAmount),
    patientAmount: minus(facts.patientAmount),
    allowedAmount: typeof facts.allowedAmount === "number" ? minus(facts.allowedAmount) : null,
    adjustments: (facts.adjustments ?? []).map((one) => ({ ...one, amount: minus(one.amount) })),
    lines: (facts.lines ?? []).map((line) => ({
      ...line,
      chargeAmount: minus(line.chargeAmount),
      paidAmount: minus(line.paidAmount),
      allowedAmount: typeof line.allowedAmount === "number" ? minus(line.allowedAmount) : null,
    })),
  };
}

/** A PaymentReconciliation: what a payer paid at once, and for what. Of one that was taken back nothing was paid. */
export function translateReconciliation(resource: Element, speaker: Speaker): Meaning {
  const status = text(resource, "status");
  const isBack = status === "cancelled" || status === "entered-in-error";
  if (status !== "active" && !isBack) return { events: [], sealFor: [], flags: ["NOT_ACTIVE"] };
  const payerId = payerOf(child(resource, "paymentIssuer"), speaker);
  const trace = text(child(resource, "paymentIdentifier"), "value");
  const named = text(resource, "id") ?? text(children(resource, "identifier")[0], "value");
  if (trace === undefined && named === undefined)
    return { events: [], sealFor: [], flags: ["REMITTANCE_UNIDENTIFIED"] };
  const own = { server: serverOf(speaker), name: `PaymentReconciliation/${named}` };
  const subject = remittanceId(payerId, trace, own, speaker);
  const details = (isBack ? [] : children(resource, "detail")).map((detail) => ({
    type: codings(child(detail, "type"))[0]?.code ?? "payment",
    amount: centsOf(child(detail, "amount")) ?? 0,
    date: text(detail, "date"),
  }));
  const payments = details.filter(({ type }) => type === "payment");
  const others = details.filter(({ type }) => type !== "payment");
  const claimsAmount = payments.reduce((sum, { amount }) => sum + amount, 0);
  const adjusted = others.reduce((sum, { amount }) => sum - amount, 0);
  const paidAmount = isBack ? 0 : (centsOf(child(resource, "paymentAmount")) ?? 0);
  const difference = paidAmount - (claimsAmount - adjusted);
  const paid = statedTime(text(resource, "paymentDate"), speaker) ?? versionTime(resource, speaker);
  const flags = isBack ? ["REMITTANCE_CANCELLED"] : difference === 0 ? [] : ["REMITTANCE_UNBALANCED"];
  const currency = currencyOf(resource, child(resource, "paymentAmount"), flags);
  const event: EventDraft = {
    type: "RemittanceReceived",
    subject,
    ...remittanceTime(resource, startOfDay(paid.time), isBack, speaker),
    fields: {
      payerId,
      payeeNpi: npiOf(child(resource, "requestor"), speaker),
      traceNumber: trace ?? named ?? "",
      method: null,
      paidAt: startOfDay(paid.time),
      paidAmount,
      claimsAmount,
      providerAdjustmentAmount: adjusted,
      claims: payments.length,
      providerAdjustments: others.map(({ type, amount, date }) => ({
        reason: String(type),
        fiscalDate: date !== undefined && date.length === 10 ? date : null,
        amount: amount === 0 ? 0 : -amount,
      })),
      balanced: difference === 0,
      difference,
      currency,
      flags,
    },
  };
  return { events: [event], sealFor: [], flags };
}

/**
 * When a version of a remittance was told: by its server's clock, which says which is the last; without one on the day of
 * payment, as an 835 is. What takes a payment back comes after it, with a clock or without.
 */
function remittanceTime(
  resource: Element,
  paidAt: number,
  isBack: boolean,
  speaker: Speaker,
): Pick<EventDraft, "time" | "timePrecision"> {
  const version = versionTime(resource, speaker);
  if (text(child(resource, "meta"), "lastUpdated") !== undefined) return version;
  return isBack ? { ...version, time: Math.max(version.time, paidAt + 1) } : { time: paidAt, timePrecision: "DAY" };
}
