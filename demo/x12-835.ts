import { compactDay } from "./calendar.js";
import { adjustedOf, chargeOf, type Decision, paidOf, patientShareOf } from "./claim.js";
import { type Cents, total, x12Amount } from "./money.js";
import { type HospitalSender, payer } from "./senders.js";
import { basic, type TransactionSet } from "./x12.js";

/** One payment of the payer to one provider, with the decisions it stands for. */
export interface Remittance {
  readonly provider: HospitalSender;
  /** TRN02. */
  readonly trace: string;
  /** BPR16, any moment of that day. */
  readonly day: number;
  readonly decisions: readonly Decision[];
  /** PLB: reason, reference, amount; a positive amount lowers the payment. */
  readonly providerAdjustments: readonly (readonly [reason: string, reference: string, amount: Cents])[];
  /** What BPR02 is above the sum it should be. */
  readonly excess: Cents;
}

export const claimsAmountOf = ({ decisions }: Remittance): Cents => total(decisions.map(paidOf));
export const providerAdjustmentOf = (one: Remittance): Cents =>
  total(one.providerAdjustments.map(([, , amount]) => amount));
export const paymentOf = (one: Remittance): Cents => claimsAmountOf(one) - providerAdjustmentOf(one) + one.excess;

function decisionSegments(decision: Decision, served: string): string[] {
  const { claim, status, lines, paid, adjustments, payerNumber, itemised } = decision;
  const { person, dependent } = claim;
  const share = patientShareOf(decision);
  const frequency = claim.submissions.at(-1)?.submission.frequency === "7" && status !== "22" ? "7" : "1";
  const head = `CLP*${claim.number}*${status}*${x12Amount(chargeOf(decision))}*${x12Amount(paidOf(decision))}*${share === 0 ? "" : x12Amount(share)}*12*${payerNumber}*11*${frequency}`;
  const patient = `NM1*QC*1*${basic(person.family)}*${basic(person.given)}****MI*${person.memberNumber}`;
  const segments = [head];
  if (!itemised) {
    const sums = new Map<string, Cents>();
    for (const { group, reason, amount } of adjustments)
      sums.set(`${group}*${reason}`, (sums.get(`${group}*${reason}`) ?? 0) + amount);
    for (const [key, amount] of sums) segments.push(`CAS*${key}*${x12Amount(amount)}`);
  }
  segments.push(patient);
  if (dependent) segments.push(`NM1*IL*1*${basic(person.family)}*ROBIN****MI*${person.memberNumber}`);
  segments.push(`DTM*232*${served}`);
  if (itemised)
    lines.forEach(({ procedure, charge }, index) => {
      segments.push(`SVC*HC:${procedure}*${x12Amount(charge)}*${x12Amount(paid[index] ?? 0)}**1`, `DTM*472*${served}`);
      for (const { line, group, reason, amount } of adjustments)
        if (line === index) segments.push(`CAS*${group}*${reason}*${x12Amount(amount)}`);
      segments.push(`REF*6R*${claim.number}L${index + 1}`);
    });
  return segments;
}

/** A remittance as an 835 (005010X221A1). @param served service day of its claims, epoch milliseconds */
export function write835(remittance: Remittance, served: number): TransactionSet {
  const { provider, trace, decisions, providerAdjustments } = remittance;
  const day = compactDay(remittance.day);
  const amount = paymentOf(remittance);
  const account = `ACH*CCP*01*999999992*DA*123456*${payer.taxId}**01*999988880*DA*98765`;
  const segments = [
    amount === 0 ? `BPR*H*0*C*NON${"*".repeat(12)}${day}` : `BPR*I*${x12Amount(amount)}*C*${account}*${day}`,
    `TRN*1*${trace}*${payer.taxId}`,
    `DTM*405*${day}`,
    `N1*PR*${payer.name}`,
    "N3*9 PAYER PLAZA",
    "N4*BOSTON*MA*02109",
    `REF*2U*${payer.id}`,
    "PER*BL*EDI*TE*5550001111",
    `N1*PE*${provider.facility} HEALTH*XX*${provider.npi}`,
    `REF*TJ*${provider.taxId}`,
    "LX*1",
  ];
  for (const decision of decisions) segments.push(...decisionSegments(decision, compactDay(served)));
  if (providerAdjustments.length > 0) {
    const parts = providerAdjustments.map(([reason, reference, cents]) => `${reason}:${reference}*${x12Amount(cents)}`);
    segments.push(`PLB*${provider.npi}*${day.slice(0, 4)}1231*${parts.join("*")}`);
  }
  return { set: "835", segments };
}

/** Whether the amounts of one decision add up: CLP03 less its adjustments is CLP04. */
export const balances = (decision: Decision): boolean => chargeOf(decision) - adjustedOf(decision) === paidOf(decision);
