/** A claim of the scenario, and what the insurer says of it: paid, and later taken back. */
export interface ExaminedClaim {
  readonly number: string;
  readonly payer: string;
  readonly submitted: string;
  readonly paid: string;
  readonly reversed: string;
}

const blanks = " ".repeat(10);

function interchange(control: string, functional: string, guide: string, set: string, body: readonly string[]): string {
  const isa = ["ISA", "00", blanks, "00", blanks, "ZZ", "EXAMINED".padEnd(15), "ZZ", "TRIBUTARY".padEnd(15)];
  const segments = [
    [...isa, "260301", "1200", "^", "00501", control, "0", "P", ":"].join("*"),
    `GS*${functional}*EXAMINED*TRIBUTARY*20260301*1200*1*X*${guide}`,
    `ST*${set}*0001${set === "837" ? `*${guide}` : ""}`,
    ...body,
    `SE*${body.length + 2}*0001`,
    "GE*1*1",
    `IEA*1*${control}`,
  ];
  return segments.map((segment) => `${segment}~\n`).join("");
}

const remittance = (control: string, trace: string, day: string, amount: string, payer: string, claim: string[]) =>
  interchange(control, "HP", "005010X221A1", "835", [
    `BPR*I*${amount}*C*ACH************${day}`,
    `TRN*1*${trace}*1999999999`,
    `N1*PR*EXAMINED PLAN*XV*${payer}`,
    "N1*PE*LAKE CLINIC*XX*1234567893",
    "REF*TJ*999888777",
    "LX*1",
    ...claim,
  ]);

/**
 * The scenario's messages. Every run has a claim of its own.
 * @param run number of the run: seconds since 1970 will do.
 */
export function examinedClaim(run: number): ExaminedClaim {
  const stamp = String(run % 100_000_000).padStart(8, "0");
  const [number, payer] = [`EX${stamp}`, `EXPLAN${stamp}`];
  const patient = "NM1*QC*1*OKAFOR*ADA****MI*M4711";
  const submitted = interchange(`1${stamp}`, "HC", "005010X222A1", "837", [
    `BHT*0019*00*B${stamp}*20260301*0930*CH`,
    "NM1*41*2*LAKE CLINIC*****46*EXAMINED",
    "NM1*40*2*TRIBUTARY*****46*TRIBUTARY",
    "HL*1**20*1",
    "NM1*85*2*LAKE CLINIC*****XX*1234567893",
    "N3*1 MAIN ST",
    "N4*CHICAGO*IL*60601",
    "REF*EI*999888777",
    "HL*2*1*22*0",
    "SBR*P*18*GROUP******CI",
    "NM1*IL*1*OKAFOR*ADA****MI*M4711",
    "DMG*D8*19840229*F",
    `NM1*PR*2*EXAMINED PLAN*****PI*${payer}`,
    `CLM*${number}*100***11:B:1*Y*A*Y*Y`,
    "HI*ABK:J0190",
    "LX*1",
    "SV1*HC:99213*100*UN*1***1",
    "DTP*472*D8*20260215",
  ]);
  const paid = remittance(`2${stamp}`, `TP${stamp}`, "20260310", "80", payer, [
    `CLP*${number}*1*100*80*0*12*ICN${stamp}`,
    "CAS*CO*45*20",
    patient,
  ]);
  const reversed = remittance(`3${stamp}`, `TR${stamp}`, "20260320", "-80", payer, [
    `CLP*${number}*22*-100*-80*0*12*ICN${stamp}`,
    "CAS*CO*45*-20",
    patient,
  ]);
  return { number, payer, submitted, paid, reversed };
}
