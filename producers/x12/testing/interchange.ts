/** An interchange of given sets, with right counts. */
export interface MadeSet {
  readonly functionalId: string;
  readonly guide: string;
  /** Segments between ST and SE, without terminator. */
  readonly body: readonly string[];
  readonly st?: string;
}

export interface MadeOptions {
  readonly control?: string;
  readonly sender?: string;
  readonly receiver?: string;
  readonly acknowledge?: boolean;
  readonly version?: string;
  /** Put after each terminator. */
  readonly lineEnd?: string;
}

export function interchange(sets: readonly MadeSet[], options: MadeOptions = {}): Buffer {
  const { control = "000000001", sender = "SENDER", receiver = "RECEIVER", version = "00501" } = options;
  const blank = " ".repeat(10);
  const isa = ["ISA", "00", blank, "00", blank, "ZZ", sender.padEnd(15), "ZZ", receiver.padEnd(15), "260301", "1200"];
  const segments = [
    [...isa, version < "00402" ? "U" : "^", version, control, options.acknowledge ? "1" : "0", "P", ":"].join("*"),
  ];
  for (const [index, set] of sets.entries()) {
    const st = set.st ?? set.guide.replace(/^.*X22[234].*$/, "837").replace(/^.*X221.*$/, "835");
    segments.push(`GS*${set.functionalId}*${sender}*${receiver}*20260301*1200*${index + 1}*X*${set.guide}`);
    segments.push(`ST*${st}*0001${st === "835" ? "" : `*${set.guide}`}`, ...set.body);
    segments.push(`SE*${set.body.length + 2}*0001`, `GE*1*${index + 1}`);
  }
  segments.push(`IEA*${sets.length}*${control}`);
  return Buffer.from(segments.map((segment) => `${segment}~${options.lineEnd ?? ""}`).join(""), "latin1");
}

export const heading837: readonly string[] = [
  "BHT*0019*00*B1*20260301*1430*CH",
  "NM1*41*2*SUBMITTER*****46*S1",
  "NM1*40*2*RECEIVER*****46*R1",
  "HL*1**20*1",
  "NM1*85*2*CLINIC*****XX*1234567893",
  "N3*1 MAIN ST",
  "N4*BOSTON*MA*02101",
  "REF*EI*999888777",
];

export const subscriber: readonly string[] = [
  "HL*2*1*22*1",
  "SBR*P**GROUP******CI",
  "NM1*IL*1*DOE*JANE****MI*M100",
  "DMG*D8*19800102*F",
  "NM1*PR*2*PLAN*****PI*PLAN1",
];

export const claim: readonly string[] = [
  "CLM*C1*100.5***11:B:1*Y*A*Y*Y",
  "HI*ABK:J0190*ABF:E119",
  "LX*1",
  "SV1*HC:99213:25*60.25*UN*1***1",
  "DTP*472*D8*20260215",
  "LX*2",
  "SV1*HC:87070*40.25*UN*2***1",
  "DTP*472*RD8*20260215-20260216",
];

export const claims837 = (...body: readonly string[]): MadeSet => ({
  functionalId: "HC",
  guide: "005010X222A1",
  body,
});

export const remittance835 = (...body: readonly string[]): MadeSet => ({
  functionalId: "HP",
  guide: "005010X221A1",
  body,
});

export const heading835: readonly string[] = [
  "BPR*I*80*C*ACH************20260310",
  "TRN*1*T1*1999999999",
  "N1*PR*PLAN*XV*PLAN1",
  "N1*PE*CLINIC*XX*1234567893",
  "REF*TJ*999888777",
];
