import { isoDay, isoSecond } from "./calendar.js";
import { type Chart, patientName } from "./chart.js";
import { adjustedOf, type Claim, chargeOf, paidOf, patientShareOf, statusOf } from "./claim.js";
import type { Expectation } from "./delivery.js";
import type { HospitalBooks } from "./hospital.js";
import { total } from "./money.js";
import type {
  ClaimLineRow,
  ClaimRow,
  Counts,
  PatientIdentifierRow,
  PatientRow,
  RemittanceRow,
  VisitRow,
} from "./rows.js";
import { locationOf } from "./visit.js";
import { balances, claimsAmountOf, paymentOf, providerAdjustmentOf, type Remittance } from "./x12-835.js";

export function patientRow(chart: Chart): PatientRow {
  const known = chart.demographics;
  return {
    patient: patientName(chart),
    status: chart.mergedInto === null ? "active" : "merged",
    mergedInto: chart.mergedInto === null ? null : patientName(chart.mergedInto),
    sex: known?.sex ?? null,
    birthYear: known?.birthDate == null ? null : Number(known.birthDate.slice(0, 4)),
    familyName: known?.family ?? null,
    givenNames: known === null ? null : [known.given, known.middle].filter((name) => name !== "").join(" "),
    birthDate: known?.birthDate ?? null,
  };
}

export const identifierRows = (chart: Chart): PatientIdentifierRow[] =>
  chart.identifiers.map((identifier) => ({ patient: patientName(chart), ...identifier }));

/** Charts that are one person: joined by a merge, or by the same master or national number. */
export function personsOf(charts: readonly Chart[]): string[][] {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    let root = name;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
    return root;
  };
  const join = (a: string, b: string): void => void parent.set(find(a), find(b));
  for (const chart of charts) {
    const name = patientName(chart);
    parent.set(name, parent.get(name) ?? name);
    if (chart.mergedInto !== null) join(name, patientName(chart.mergedInto));
    for (const { authority, type, value } of chart.identifiers)
      if (type !== "MR") join(`${authority}|${type}|${value}`, name);
  }
  const groups = new Map<string, string[]>();
  for (const chart of charts) {
    const name = patientName(chart);
    const group = groups.get(find(name));
    if (group === undefined) groups.set(find(name), [name]);
    else group.push(name);
  }
  return [...groups.values()].map((group) => group.sort()).sort((a, b) => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1));
}

export function visitRows(books: HospitalBooks): VisitRow[] {
  const instant = (at: number | null): string | null => (at === null ? null : isoSecond(at));
  return books.visits.map(({ visit, chart }) => ({
    visit: `${books.sender.facility}|${visit.number}`,
    patient: patientName(chart),
    status: visit.status,
    class: visit.class,
    location: locationOf(visit),
    startedAt: instant(visit.startedAt),
    endedAt: instant(visit.endedAt),
    cancelledAt: instant(visit.cancelledAt),
  }));
}

export function claimRow(claim: Claim): ClaimRow {
  const last = claim.submissions.at(-1)?.submission;
  const decisions = claim.decisions.map((one) => one.decision);
  const [submitted] = claim.submissions;
  const [decided] = claim.decisions;
  return {
    claim: claim.number,
    provider: claim.provider.npi,
    status: statusOf(claim),
    frequencyCode: last?.frequency,
    billed: last === undefined ? undefined : chargeOf(last),
    paid: total(decisions.map(paidOf)),
    patientAmount: total(decisions.map(patientShareOf)),
    adjusted: total(decisions.map(adjustedOf)),
    balanced: decisions.length === 0 ? undefined : decisions.every(balances),
    replaces: claim.replaces?.number ?? null,
    lines: last?.lines.length,
    submittedAt: claim.submissions.length === 1 && submitted !== undefined ? isoSecond(submitted.at) : undefined,
    adjudicatedOn: claim.decisions.length === 1 && decided !== undefined ? isoDay(decided.day) : undefined,
  };
}

export const claimLineRows = (claim: Claim): ClaimLineRow[] =>
  (claim.submissions.at(-1)?.submission.lines ?? []).map((line, index) => ({
    claim: claim.number,
    line: index + 1,
    ...line,
  }));

export const remittanceRow = (remittance: Remittance): RemittanceRow => ({
  trace: remittance.trace,
  paidOn: isoDay(remittance.day),
  paid: paymentOf(remittance),
  claims: claimsAmountOf(remittance),
  providerAdjustment: providerAdjustmentOf(remittance),
  balanced: remittance.excess === 0,
  difference: remittance.excess,
});

/** Adds up what was expected of each delivery. */
export function countExpectations(expectations: Iterable<Expectation>): Counts {
  const counts = { deliveries: 0, units: 0, accepted: 0, enclosed: 0, resends: 0, reusedIds: 0 };
  const rejectedByCode: Record<string, number> = {};
  for (const { answer, code, units, rejected, enclosed = 0, resend, reusedId } of expectations) {
    counts.deliveries++;
    counts.units += units;
    counts.accepted += units - rejected;
    counts.enclosed += enclosed;
    // An interchange that comes again is refused as a duplicate: it is among the rejected.
    if (resend && rejected === 0) counts.resends++;
    if (reusedId) counts.reusedIds++;
    if (rejected === 0) continue;
    const kind = answer.startsWith("TA1")
      ? `TA1 ${code}`
      : answer.startsWith("A")
        ? `${answer} ${code}`
        : (code ?? answer);
    rejectedByCode[kind] = (rejectedByCode[kind] ?? 0) + rejected;
  }
  return { ...counts, rejectedByCode };
}
