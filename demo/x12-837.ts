import { compactDay, compactMinute } from "./calendar.js";
import { chargeOf, type Submission } from "./claim.js";
import { x12Amount } from "./money.js";
import { type HospitalSender, interchangeSenders, payer } from "./senders.js";
import { basic, type TransactionSet } from "./x12.js";

/** The member, and for a dependent the patient below him (loops 2000B, 2010BA, 2010BB, 2000C, 2010CA). */
function parties({ claim }: Submission, level: number): string[] {
  const { person, dependent } = claim;
  const place = [`N3*${basic(person.street)}`, `N4*${basic(person.city)}*MA*${person.zip}`];
  const birth = `DMG*D8*${person.birthDate.replaceAll("-", "")}*${person.sex}`;
  const health = `NM1*PR*2*${payer.name}*****PI*${payer.id}`;
  const family = basic(person.family);
  if (!dependent)
    return [
      `HL*${level}*1*22*0`,
      "SBR*P*18*******CI",
      `NM1*IL*1*${family}*${basic(person.given)}****MI*${person.memberNumber}`,
      ...place,
      birth,
      health,
    ];
  return [
    `HL*${level}*1*22*1`,
    "SBR*P********CI",
    `NM1*IL*1*${family}*ROBIN****MI*${person.memberNumber}`,
    ...place,
    "DMG*D8*19710304*F",
    health,
    `HL*${level + 1}*${level}*23*0`,
    "PAT*19",
    `NM1*QC*1*${family}*${basic(person.given)}`,
    ...place,
    birth,
  ];
}

/** One professional claim (loops 2300 and 2400). @param badAmount CLM02 is not a number */
function claimSegments(submission: Submission, served: string, badAmount: boolean): string[] {
  const { claim, frequency, reference, lines } = submission;
  const charge = badAmount ? "1,2O4.50" : x12Amount(chargeOf(submission));
  const place = claim.provider.name === "practice" ? "11" : "22";
  const segments = [`CLM*${claim.number}*${charge}***${place}:B:${frequency}*Y*A*Y*Y`];
  if (reference !== null) segments.push(`REF*F8*${reference}`);
  segments.push("HI*ABK:Z0000");
  lines.forEach(({ procedure, charge: amount }, index) => {
    segments.push(`LX*${index + 1}`, `SV1*HC:${procedure}*${x12Amount(amount)}*UN*1***1`);
    segments.push(`DTP*472*D8*${served}`, `REF*6R*${claim.number}L${index + 1}`);
  });
  return segments;
}

/**
 * A batch of claims of one billing provider as an 837 professional (005010X222A1).
 * @param at clock of the batch (BHT04, BHT05), epoch milliseconds; it is what the order of submissions is told by
 */
export function write837(
  provider: HospitalSender,
  batch: string,
  at: number,
  served: number,
  submissions: readonly Submission[],
  flaw?: "amount" | "count",
): TransactionSet {
  const { id, receiver } = interchangeSenders.clearing;
  const segments = [
    `BHT*0019*00*${batch}*${compactDay(at)}*${compactMinute(at)}*CH`,
    `NM1*41*2*${id}*****46*${id}`,
    "PER*IC*BILLING*TE*5551234567",
    `NM1*40*2*${receiver}*****46*${receiver}`,
    "HL*1**20*1",
    `NM1*85*2*${provider.facility} HEALTH*****XX*${provider.npi}`,
    "N3*1 MAIN ST",
    "N4*BOSTON*MA*021010001",
    `REF*EI*${provider.taxId}`,
  ];
  let level = 2;
  submissions.forEach((submission, index) => {
    segments.push(...parties(submission, level));
    level += submission.claim.dependent ? 2 : 1;
    segments.push(
      ...claimSegments(submission, compactDay(served), flaw === "amount" && index === submissions.length - 1),
    );
  });
  return { set: "837", segments, wrongCount: flaw === "count" };
}
