import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ByteSource } from "../../engine/reception/byte-source.js";
import { InterchangeCheck } from "./check.js";
import { profileSchema } from "./profile.js";
import { receive } from "./reception.js";
import { deskOf, type TestDesk, take } from "./testing/desk.js";
import {
  claim,
  claims837,
  heading835,
  heading837,
  interchange,
  remittance835,
  subscriber,
} from "./testing/interchange.js";
import { Tokenizer } from "./tokenizer.js";

const claimBody = [...heading837, ...subscriber, ...claim, ...claim.map((one) => one.replace("CLM*C1", "CLM*C2"))];
const claimsOf = (control: string) => interchange([claims837(...claimBody)], { control });
const text = (bytes: Buffer) => bytes.toString("latin1");
const events = (desk: TestDesk) => desk.intake.published.flatMap((unit) => unit.events);

function inChunks(bytes: Buffer, cuts: readonly number[]): ByteSource {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return {
    size: bytes.length,
    *chunks() {
      for (let at = 1; at < edges.length; at += 1) yield Buffer.from(bytes.subarray(edges[at - 1], edges[at]));
    },
  };
}

describe("a reception", () => {
  it("journals every byte in exactly one slice, in order, and closes with the counts", async () => {
    const file = Buffer.concat([
      interchange(
        [claims837(...claimBody), remittance835(...heading835, "LX*1", "CLP*C1*1*80*80", "PLB*1*20261231*WO*0")],
        {
          lineEnd: "\r\n",
        },
      ),
      Buffer.from("\r\n\r\n"),
      interchange(
        [{ functionalId: "HS", guide: "005010X279A1", st: "270", body: ["BHT*0022*13*1*20260301", "HL*1**20*0"] }],
        {
          control: "000000002",
        },
      ),
      Buffer.from("\n"),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(file.length), { maxLength: 20 }), async (cuts) => {
        const desk = deskOf();
        await receive(inChunks(file, cuts), "generic", desk);
        const { units } = desk.intake;
        expect(Buffer.concat(units.map((unit) => unit.bytes)).equals(file)).toBe(true);
        for (const transmissionId of new Set(units.map((unit) => unit.transport!.transmissionId))) {
          const slices = units.filter((unit) => unit.transport!.transmissionId === transmissionId);
          let offset = 0;
          for (const [ordinal, slice] of slices.entries()) {
            expect(slice.transport).toMatchObject({ ordinal, byteOffset: offset });
            offset += slice.bytes.length;
          }
          const last = slices.at(-1)!;
          expect(last.entry).toBe("CLOSING");
          expect(last.closing).toMatchObject({
            entries: slices.length - 1,
            units: slices.filter((slice) => slice.entry === "UNIT").length,
            bytes: offset,
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("puts what names a person into units sealed for that person, never into an envelope", async () => {
    const desk = deskOf();
    await take(interchange([claims837(...claimBody)]), desk);
    const envelopes = desk.intake.units.filter((unit) => unit.entry === "ENVELOPE");
    expect(envelopes.map((unit) => unit.format)).toEqual(["ISA", "GS", "837P", "SE", "GE", "IEA", "X12 answer"]);
    for (const envelope of envelopes) expect(text(Buffer.from(envelope.bytes))).not.toMatch(/DOE|M100/);
  });

  it("seals a subscriber without a claim for that subscriber", async () => {
    const desk = deskOf();
    const other = subscriber.map((one) => one.replace("HL*2", "HL*3").replace("M100", "M200"));
    await take(interchange([claims837(...heading837, ...subscriber, ...other, ...claim)]), desk);
    const alone = desk.intake.units.find((unit) => text(Buffer.from(unit.bytes)).includes("M100"))!;
    expect(alone.entry).toBe("ENVELOPE");
    expect(alone.sealFor).toEqual([desk.intake.surrogate("patient", "PLAN1", "MI", "M100")]);
  });

  it("answers an interchange that was answered before with TA1 R 025, and publishes nothing", async () => {
    const desk = deskOf();
    await take(claimsOf("000000007"), desk);
    const before = events(desk).length;
    expect(before).toBe(2);
    const again = await take(claimsOf("000000007"), { ...desk, recent: deskOf().recent });
    expect(text(again.answer)).toContain("TA1*000000007*260301*1200*R*025~");
    expect(text(again.answer)).not.toContain("AK1");
    expect(again.accepted).toBe(false);
    expect(again.units).toBe(2);
    expect(events(desk)).toHaveLength(before);
    const third = await take(interchange([claims837(...claimBody)], { control: "000000007", lineEnd: "\n" }), desk);
    expect(third.report.interchanges[0]!.note).toBe("025");
    const other = await take(claimsOf("000000008"), desk);
    expect(other.accepted).toBe(true);
    expect(events(desk)).toHaveLength(before * 2);
  });

  it("answers as the first time what was journalled but never answered, and publishes no unit twice", async () => {
    const desk = deskOf();
    const { intake } = desk;
    await receive(inChunks(claimsOf("000000009"), []), "generic", desk);
    expect(events(desk)).toHaveLength(2);
    const second = await take(claimsOf("000000009"), desk);
    expect(second.accepted).toBe(true);
    expect(text(second.answer)).toContain("IK5*A~");
    expect(intake.published).toHaveLength(2);
  });

  it("takes the rest of an interchange that was cut off by an outage when it comes again", async () => {
    const many = Array.from({ length: 700 }, (_, index) => claim.map((one) => one.replace("CLM*C1", `CLM*N${index}`)));
    const large = interchange([claims837(...heading837, ...subscriber, ...many.flat())]);
    const desk = deskOf();
    desk.intake.failAfter = 1;
    const chunks = Array.from({ length: 20 }, (_, index) => index * 8000);
    await expect(receive(inChunks(large, chunks), "generic", desk)).rejects.toMatchObject({
      code: "TRIB_INTAKE_UNAVAILABLE",
    });
    const kept = desk.intake.published.length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(700);
    desk.intake.failAfter = null;
    const again = await take(large, desk);
    expect(again.accepted).toBe(true);
    expect(events(desk)).toHaveLength(700);
    expect(new Set(events(desk).map((event) => event.subject)).size).toBe(700);
  });

  it("takes identical claims in one set as two, and resubmitted after a rejection as new", async () => {
    const desk = deskOf();
    const bad = claimBody.map((one) => one.replace("CLM*C2*100.5", "CLM*C2*1O0.5"));
    const rejected = await take(interchange([claims837(...bad)], { control: "000000010" }), desk);
    expect(rejected.accepted).toBe(false);
    expect(events(desk)).toEqual([]);
    expect(desk.intake.units.filter((unit) => unit.entry === "UNIT").map((unit) => unit.verdict)).toEqual([
      { accepted: false, code: "X12_IK4_6", location: "CLM02" },
      { accepted: false, code: "X12_IK4_6", location: "CLM02" },
    ]);
    await take(
      interchange([claims837(...heading837, ...subscriber, ...claim, ...claim)], { control: "000000011" }),
      desk,
    );
    expect(events(desk)).toHaveLength(2);
  });

  it("rejects a set with a unit that the journal does not take, before any of it is journalled as accepted", async () => {
    const desk = deskOf();
    desk.intake.refuse = (unit) =>
      unit.controlId?.value.endsWith("C2") ? { accepted: false, code: "UNIT_TOO_LARGE" } : { accepted: true };
    // Small claims are taken without asking: what can be refused is large.
    const long = Array.from({ length: 1_000 }, (_, index) => `NTE*ADD*${"x".repeat(70)}${index}`);
    const large = claimBody.flatMap((one) => (one.startsWith("CLM*C2") ? [one, ...long] : [one]));
    const { accepted, answer } = await take(interchange([claims837(...large)], { control: "000000012" }), desk);
    expect(accepted).toBe(false);
    expect(text(answer)).toContain("IK5*R*5~AK9*R*1*1*0~");
    expect(events(desk)).toEqual([]);
  });

  it("cuts and rejects a unit above the record limit", async () => {
    const desk = { ...deskOf(), unitLimit: 2000 };
    const long = Array.from({ length: 50 }, (_, index) => `NTE*ADD*${"x".repeat(60)}${index}`);
    const [first, ...rest] = claim;
    const bytes = interchange([claims837(...heading837, ...subscriber, first!, ...long, ...rest)]);
    const { accepted } = await take(bytes, desk);
    expect(accepted).toBe(false);
    const kept = desk.intake.units.filter((unit) => unit.format !== "X12 answer");
    expect(Buffer.concat(kept.map((unit) => unit.bytes)).equals(bytes)).toBe(true);
    expect(Math.max(...kept.map((unit) => unit.bytes.length))).toBeLessThanOrEqual(1400);
    expect(kept.find((unit) => unit.entry === "UNIT")!.verdict).toMatchObject({ code: "UNIT_TOO_LARGE" });
  });

  it("finds the partner by ISA06 and refuses a sender at another partner's address", async () => {
    const desk = deskOf();
    const claims = interchange([claims837(...claimBody)], { sender: "CLEARCO", receiver: "TRIBUTARY" });
    await take(claims, desk);
    expect(desk.intake.units[0]).toMatchObject({ partner: "clearing", feed: "clearing/CLEARCO" });
    const foreign = await take(claimsOf("000000013"), desk, "insurer");
    expect(text(foreign.answer)).toContain("*R*006~");
    const misled = await take(interchange([claims837(...claimBody)], { sender: "CLEARCO" }), desk, "clearing");
    expect(text(misled.answer)).toContain("*R*008~");
    // Without `senders` of its own a partner speaks for nobody, least of all for another.
    const named = { ...desk, profiles: new Map([...desk.profiles, ["lake", profileSchema.parse({})] as const]) };
    const spoofed = await take(interchange([claims837(...claimBody)], { sender: "CLEARCO" }), named, "lake");
    expect(text(spoofed.answer)).toContain("*R*006~");
  });
});

describe("a partner's profile", () => {
  const withProfile = (profile: object) => {
    const desk = deskOf();
    return { ...desk, profiles: new Map([["generic", profileSchema.parse(profile)]]) };
  };

  it("may keep a sender's tests from becoming facts", async () => {
    const test = Buffer.from(text(claimsOf("000000014")).replace("*0*P*:", "*0*T*:"), "latin1");
    expect((await take(test, withProfile({}))).accepted).toBe(true);
    const desk = withProfile({ usage: ["P"] });
    expect(text((await take(test, desk)).answer)).toContain("*R*020~");
    expect(events(desk)).toEqual([]);
    expect((await take(claimsOf("000000015"), desk)).accepted).toBe(true);
  });

  it("with UTF-8 lets no byte in that is none: no name is ever half replaced", async () => {
    const named = (name: Buffer) => {
      const [before, after] = text(claimsOf("000000016")).split("DOE") as [string, string];
      return Buffer.concat([Buffer.from(before, "latin1"), name, Buffer.from(after, "latin1")]);
    };
    const desk = withProfile({ characters: "utf-8" });
    expect((await take(named(Buffer.from("MÜLLER")), desk)).accepted).toBe(true);
    expect(events(desk)[0]).toMatchObject({ sealed: { patientName: "MÜLLER, JANE" } });
    const broken = await take(named(Buffer.from("MÜLLER", "latin1")), withProfile({ characters: "utf-8" }));
    expect(text(broken.answer)).toContain("IK3*NM1*12**8~IK4*3**6~IK5*R*5~");
  });
});

describe("what an envelope costs", () => {
  const check = (file: string, options: object) => {
    const found = new InterchangeCheck({ characters: () => "ascii", ...options });
    for (const token of new Tokenizer().push(Buffer.from(file))) found.accept(token);
    return found.end(null);
  };
  const [head] = text(interchange([])).split("IEA") as [string, string];

  it("bounds how many are taken: of a million little is kept, and all the same too much", () => {
    const sets = (count: number) =>
      `${head}GS*HC*A*B*20260301*1200*1*X*005010X222A1~${"ST*837*1~SE*2*1~".repeat(count)}`;
    expect(check(sets(8), { envelopes: 10 }).interchanges[0]?.groups[0]?.sets.length).toBe(8);
    expect(() => check(sets(9), { envelopes: 10 })).toThrow(expect.objectContaining({ facts: { envelopes: 10 } }));
    expect(() => check(head.repeat(11), { envelopes: 10 })).toThrow();
  });

  it("is no more for its errors, which are told while they are few", () => {
    const set = `ST*837*1~BHT*1*1*1*20260301~NM1*41*2~NM1*40*2~${"REF~".repeat(200)}SE*205*1~`;
    const { sets } = check(`${head}GS*HC*A*B*20260301*1200*1*X*005010X222A1~${set.repeat(200)}`, {}).interchanges[0]!
      .groups[0]!;
    expect([sets[0]!.errors.length, sets.at(-1)!.errors.length, sets.at(-1)!.codes]).toEqual([100, 1, ["23", "5"]]);
  });
});
