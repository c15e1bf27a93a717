import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";

export interface X12FileOptions {
  readonly claims: number;
  /** Different members; default a third of the claims. */
  readonly members?: number;
  /** ISA13 and the first number of a claim; default 1. */
  readonly control?: number;
  /** Claims a transaction set; default 5,000, the most that the guides advise. */
  readonly claimsPerSet?: number;
}

const pad = (value: number, length: number) => String(value).padStart(length, "0");

/** One claim of two lines with its subscriber, about 640 bytes, as a practice's software writes it. */
function claimSegments(index: number, member: number, level: number): string {
  const charge = 50 + (index % 900);
  const cents = pad(index % 100, 2);
  const family = `FAMILY${member % 5_000}`;
  return [
    `HL*${level}*1*22*0`,
    "SBR*P*18*GRP1******CI",
    `NM1*IL*1*${family}*GIVEN${member % 900}****MI*M${pad(member, 8)}`,
    `N3*${(member % 900) + 1} MAIN STREET`,
    "N4*BOSTON*MA*021010001",
    `DMG*D8*19${pad(30 + (member % 70), 2)}0${(member % 9) + 1}1${member % 9}*${member % 2 === 0 ? "F" : "M"}`,
    "NM1*PR*2*PLAN*****PI*PLAN1",
    `CLM*C${pad(index, 9)}*${charge + 25}.${cents}***11:B:1*Y*A*Y*Y`,
    `REF*D9*${pad(index, 12)}`,
    "HI*ABK:J0190*ABF:E119*ABF:I10",
    "LX*1",
    `SV1*HC:99213:25*${charge}.${cents}*UN*1***1:2`,
    "DTP*472*D8*20260215",
    `REF*6R*${index}-1`,
    "LX*2",
    "SV1*HC:87070*25*UN*1***1",
    "DTP*472*D8*20260215",
    `REF*6R*${index}-2`,
    "",
  ].join("~");
}

/**
 * Writes an interchange of professional claims (837P) whose counts and levels are right. Flat memory.
 * @returns its bytes.
 */
export async function writeX12File(path: string, options: X12FileOptions): Promise<number> {
  const { claims, members = Math.max(1, Math.ceil(claims / 3)), control = 1, claimsPerSet = 5_000 } = options;
  const file = createWriteStream(`${path}.tmp`);
  let bytes = 0;
  const write = async (text: string): Promise<void> => {
    bytes += text.length;
    if (!file.write(text, "latin1")) await once(file, "drain");
  };
  const number = pad(control, 9);
  const blank = " ".repeat(10);
  const isa = `ISA*00*${blank}*00*${blank}*ZZ*${"SENDER".padEnd(15)}*ZZ*${"RECEIVER".padEnd(15)}*260301*1200*^*00501*${number}*0*P*:~`;
  await write(isa);
  await write(`GS*HC*SENDER*RECEIVER*20260301*1200*${control}*X*005010X222A1~`);
  let sets = 0;
  for (let first = 0; first < claims; first += claimsPerSet) {
    sets += 1;
    const count = Math.min(claimsPerSet, claims - first);
    await write(
      [
        `ST*837*${pad(sets, 4)}*005010X222A1`,
        `BHT*0019*00*B${control}-${sets}*20260301*1430*CH`,
        "NM1*41*2*SUBMITTER*****46*S1",
        "PER*IC*OFFICE*TE*6175551212",
        "NM1*40*2*RECEIVER*****46*R1",
        "HL*1**20*1",
        "NM1*85*2*CLINIC*****XX*1234567893",
        "N3*1 MAIN ST",
        "N4*BOSTON*MA*021010001",
        "REF*EI*999888777",
        "",
      ].join("~"),
    );
    for (let at = 0; at < count; at += 1) {
      const index = control * 1_000_000 + first + at;
      await write(claimSegments(index, (first + at) % members, at + 2));
    }
    await write(`SE*${11 + count * 18}*${pad(sets, 4)}~`);
  }
  await write(`GE*${sets}*${control}~IEA*1*${number}~`);
  file.end();
  await once(file, "finish");
  await rename(`${path}.tmp`, path);
  return bytes;
}
