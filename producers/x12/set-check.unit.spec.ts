import { describe, expect, it } from "vitest";
import { deskOf, take } from "./testing/desk.js";
import {
  claim,
  claims837,
  heading835,
  heading837,
  interchange,
  type MadeSet,
  remittance835,
  subscriber,
} from "./testing/interchange.js";

/** Errors of the set, as `CLM@16:8 02:6`. */
async function errorsOf(set: MadeSet): Promise<string[]> {
  const { report } = await take(interchange([set]), deskOf());
  return report.interchanges[0]!.groups[0]!.sets[0]!.errors.map(({ segment, position, code, elements }) =>
    [`${segment}@${position}:${code}`, ...elements.map((one) => `${one.at}:${one.code}`)].join(" "),
  );
}

const whole = [...heading837, ...subscriber, ...claim];
const changed = (from: string, to: string) => claims837(...whole.map((one) => one.replace(from, to)));
const without = (start: string) => claims837(...whole.filter((one) => !one.startsWith(start)));

describe("the syntax of an 837", () => {
  it("is good as it is", async () => expect(await errorsOf(claims837(...whole))).toEqual([]));

  it.each<[string, MadeSet, string[]]>([
    ["a level out of count", changed("HL*2*1*22", "HL*3*1*22"), ["HL@10:8 1:7"]],
    ["a parent that is not there", changed("HL*2*1*22", "HL*2*9*22"), ["HL@10:8 2:7"]],
    ["a parent that is itself", changed("HL*2*1*22", "HL*2*2*22"), ["HL@10:8 2:7"]],
    ["no submitter", without("NM1*41"), ["NM1@4:3"]],
    ["no subscriber", without("NM1*IL"), ["NM1@14:3"]],
    ["no lines", claims837(...heading837, ...subscriber, claim[0]!), ["LX@16:3"]],
    ["a line without service", without("SV1"), ["SV1@19:3", "SV1@21:3"]],
    ["no claim amount", changed("CLM*C1*100.5", "CLM*C1*"), ["CLM@15:8 2:1"]],
    ["an amount in letters", changed("100.5", "1OO.5"), ["CLM@15:8 2:6"]],
    ["a fraction of a cent", changed("100.5", "100.505"), ["CLM@15:8 2:I12"]],
    ["a day that does not exist", changed("*20260215", "*20260231"), ["DTP@19:8 3:8", "DTP@22:8 3:8"]],
    ["a wrong time", changed("20260301*1430", "20260301*2560"), ["BHT@2:8 5:9"]],
    ["a letter outside the agreed set", changed("DOE*JANE", "D\xd6E*JANE"), ["NM1@12:8 3:6"]],
    ["a segment of another place", changed("SBR*P**GROUP******CI", "SV1*HC:1*1"), ["SV1@11:2", "SBR@15:3"]],
    ["a segment that nobody knows", changed("REF*EI*999888777", "QQQ*1"), ["QQQ@9:1"]],
    [
      "an address before its street",
      claims837(...heading837, ...subscriber, "N4*BOSTON", "N3*1 ROAD", ...claim),
      ["N3@16:7"],
    ],
  ])("is wrong with %s", async (_name, set, errors) => expect(await errorsOf(set)).toEqual(errors));
});

describe("the syntax of an 835", () => {
  const body = [...heading835, "LX*1", "CLP*C1*1*80*80", "SVC*HC:1*80*80"];
  const without835 = (start: string) => remittance835(...body.filter((one) => !one.startsWith(start)));

  it.each<[string, MadeSet, string[]]>([
    ["nothing", remittance835(...body), []],
    ["no payment order", without835("BPR"), ["BPR@6:3"]],
    ["no payee", remittance835(...body.filter((one) => !/^(N1.PE|REF)/.test(one))), ["N1@5:3"]],
    ["a service outside a claim", without835("CLP"), ["SVC@8:2"]],
    [
      "a claim after the provider adjustments",
      remittance835(...body, "PLB*1*20261231*WO*1", "CLP*C2*1*1*1"),
      ["CLP@11:2"],
    ],
    ["two payment orders", remittance835(heading835[0]!, ...body), ["BPR@3:5"]],
  ])("is wrong with %s", async (_name, set, errors) => expect(await errorsOf(set)).toEqual(errors));
});
