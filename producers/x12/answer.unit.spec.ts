import { describe, expect, it } from "vitest";
import { readAnswers } from "./acknowledgment.js";
import { deskOf, take } from "./testing/desk.js";
import {
  claim,
  claims837,
  heading837,
  interchange,
  type MadeOptions,
  type MadeSet,
  subscriber,
} from "./testing/interchange.js";

const good = claims837(...heading837, ...subscriber, ...claim);
const bad = claims837(...heading837, ...subscriber, ...claim.map((one) => one.replace("20260215", "20261515")));

async function answered(
  sets: readonly MadeSet[],
  options: MadeOptions = {},
  change = (text: string) => text,
): Promise<string> {
  const bytes = Buffer.from(change(interchange(sets, options).toString("latin1")), "latin1");
  return (await take(bytes, deskOf())).answer.toString("latin1");
}

describe("the answer", () => {
  it("to a good interchange is a 999 with our date and its control numbers", async () => {
    expect(await answered([good], { control: "000000042" })).toBe(
      [
        "ISA*00*          *00*          *ZZ*RECEIVER       *ZZ*SENDER         *260301*1234*^*00501*000000042*0*P*:",
        "GS*FA*RECEIVER*SENDER*20260301*1234*42*X*005010X231A1",
        "ST*999*0001*005010X231A1",
        "AK1*HC*1*005010X222A1",
        "AK2*837*0001*005010X222A1",
        "IK5*A",
        "AK9*A*1*1*1",
        "SE*6*0001",
        "GE*1*42",
        "IEA*1*000000042",
        "",
      ].join("~"),
    );
  });

  it("names segment, position, element and code of an error, never the value", async () => {
    const answer = await answered([good, bad]);
    expect(answer).toContain("AK1*HC*2*005010X222A1~AK2*837*0001*005010X222A1~IK3*DTP*19**8~IK4*3**8~");
    expect(answer).toContain("IK5*R*5~AK9*R*1*1*0~");
    expect(answer).not.toContain("20261515");
    expect(answer).toContain("IEA*2*");
  });

  it("has a TA1 when it is asked for or says no", async () => {
    expect(await answered([good], { acknowledge: true })).toContain("TA1*000000001*260301*1200*A*000~GS*FA");
    const rejected = await answered([good], {}, (text) => text.replace("IEA*1*", "IEA*4*"));
    expect(rejected).toContain("TA1*000000001*260301*1200*R*021~IEA*0*000000001~");
  });

  it("rejects a group by AK9 without a word on its good sets", async () => {
    const answer = await answered([good], {}, (text) => text.replace("GE*1*1", "GE*7*1"));
    expect(answer).toContain("AK1*HC*1*005010X222A1~AK9*R*7*1*0*5~");
  });

  it("accepts a group in part", async () => {
    const two = (text: string) =>
      text
        .replace(
          /(ST\*837.*?SE\*\d+\*0001~)/s,
          (set) => set + set.replaceAll("0001", "0002").replace("20260215", "2026"),
        )
        .replace("GE*1*1", "GE*2*1");
    const answer = await answered([good], {}, two);
    expect(answer).toContain("AK2*837*0001*005010X222A1~IK5*A~AK2*837*0002*005010X222A1~IK3*");
    expect(answer).toContain("AK9*P*2*2*1~");
  });

  it("is a 997 for version 4010", async () => {
    const old = { ...good, guide: "004010X098A1", st: "837" };
    const answer = await answered([old], { version: "00401" });
    expect(answer).toContain(
      "*U*00401*000000001*0*P*:~GS*FA*RECEIVER*SENDER*20260301*1234*1*X*004010~ST*997*0001~AK1*HC*1~",
    );
    expect(answer).toContain("AK2*837*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~");
  });

  it("is none to an acknowledgment", async () => {
    const acknowledgment = { functionalId: "FA", guide: "005010X231A1", st: "999", body: ["AK1*HC*1", "AK9*A*1*1*1"] };
    expect(await answered([acknowledgment])).toBe("");
    expect(await answered([acknowledgment, good])).toContain("GS*FA");
  });

  it("is written with the delimiters received", async () => {
    const piped = (text: string) => text.replaceAll("*", "|").replaceAll("~", "\x1e").replaceAll(":", "!");
    const answer = await answered([good], {}, piped);
    expect(answer).toContain("\x1eIK5|A\x1e");
    expect(readAnswers(Buffer.from(answer, "latin1"))[0]!.groups[0]!.sets.get("0001")!.accepted).toBe(true);
  });
});
