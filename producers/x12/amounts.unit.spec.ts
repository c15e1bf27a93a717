import { describe, expect, it } from "vitest";
import { claim, claims837, heading835, heading837, remittance835, subscriber } from "./testing/interchange.js";
import { unitsOf } from "./testing/units.js";

describe("an adjustment of which one half is missing", () => {
  const payment = (charge: string, cas: string) => [
    `CLP*C1*1*${charge}*80*0*12*ICN1`,
    cas,
    "NM1*QC*1*DOE*JANE****MI*M100",
  ];
  const paidBy = async (charge: string, cas: string) => {
    const units = await unitsOf([remittance835(...heading835, ...payment(charge, cas))]);
    const event = units[1]?.events[0];
    if (event?.type !== "ClaimAdjudicated") throw new Error("no decision");
    const { adjustments = [], balanced } = event.fields;
    return { pairs: adjustments.map(({ reason, amount }) => [reason, amount]), balanced, flags: units[1]?.flags };
  };

  it("of a claim counts with what is there, and is flagged", async () => {
    const half = "ADJUSTMENT_INCOMPLETE";
    expect(await paidBy("105", "CAS*CO*45*20**96**2*A1*5")).toEqual({
      pairs: [
        ["45", 2_000],
        ["96", 0],
        ["A1", 500],
      ],
      balanced: true,
      flags: [half],
    });
    // An amount without a reason is money all the same.
    expect(await paidBy("105", "CAS*CO*45*20***5")).toEqual({
      pairs: [
        ["45", 2_000],
        ["", 500],
      ],
      balanced: true,
      flags: [half],
    });
    expect(await paidBy("100", "CAS*CO*45*20*****1")).toMatchObject({ balanced: true, flags: [half] });
    expect(await paidBy("100", "CAS*CO*45*20**96*0")).toMatchObject({ balanced: true, flags: [] });
  });

  it.each([
    ["no amount", "CS*", 2_000],
    ["no reason", "*5", 2_500],
    ["nothing but a reference for a reason", ":R1*5", 2_500],
  ])("outside of claims, with %s, too", async (_, pair, providerAdjustmentAmount) => {
    const body = (plb: string) => [...heading835, ...payment("100", "CAS*CO*45*20"), plb];
    const [head] = await unitsOf([remittance835(...body(`PLB*1234567893*20261231*WO:X*20*${pair}*CS*0`))]);
    expect(head).toMatchObject({
      events: [{ fields: { providerAdjustmentAmount } }],
      flags: ["ADJUSTMENT_INCOMPLETE", "REMITTANCE_UNBALANCED"],
    });
    const [whole] = await unitsOf([remittance835(...body("PLB*1234567893*20261231*WO:X*20*CS*-20"))]);
    expect(whole?.flags).toEqual([]);
  });
});

describe("a currency", () => {
  const claims = (...currency: string[]) => [claims837(...heading837, ...currency, ...subscriber, ...claim)];
  const remittance = (...currency: string[]) => {
    const [bpr = "", trn = "", ...parties] = heading835;
    const payment = ["CLP*C1*1*100*80*0*12*ICN1", "CAS*CO*45*20", "NM1*QC*1*DOE*JANE****MI*M100"];
    return [remittance835(bpr, trn, ...currency, ...parties, ...payment)];
  };
  const told = async (sets: Parameters<typeof unitsOf>[0], profile = {}) =>
    (await unitsOf(sets, profile)).map(({ events, flags }) => {
      const fields = events[0]?.fields as { currency?: string | null; flags?: string[] } | undefined;
      return [fields?.currency, ...[flags, fields?.flags].map((one) => one?.includes("OTHER_CURRENCY"))];
    });

  it("that is named goes with the amounts, flagged where it is not the usual one", async () => {
    expect(await told(claims("CUR*85*CAD"))).toEqual([["CAD", true, true]]);
    expect(await told(claims("CUR*85*USD"))).toEqual([["USD", false, false]]);
    expect(await told(claims())).toEqual([[null, false, false]]);
    // It may be anything, and is in the clear.
    expect(await told(claims("CUR*85*JANE DOE"))).toEqual([["XXX", true, true]]);
    expect(await told(claims("CUR*85*usd"))).toEqual([["USD", false, false]]);
    const both = (one: unknown) => [one, one];
    expect(await told(remittance("CUR*PR*CAD"))).toEqual(both(["CAD", true, true]));
    expect(await told(remittance())).toEqual(both([null, false, false]));
  });

  it("is the profile's where none is named", async () => {
    const profile = { currency: "CAD" };
    expect(await told(claims(), profile)).toEqual([["CAD", false, false]]);
    expect(await told(claims("CUR*85*USD"), profile)).toEqual([["USD", true, true]]);
    expect((await told(remittance(), profile))[1]).toEqual(["CAD", false, false]);
  });

  it("is of its billing provider, and no part of what makes a claim the same one", async () => {
    const second = [
      "HL*3**20*1",
      "NM1*85*2*OTHER*****XX*1999999984",
      "REF*EI*111222333",
      "HL*4*3*22*1",
      ...subscriber.slice(1),
    ];
    const [set] = claims("CUR*85*CAD");
    const two = { ...(set as NonNullable<typeof set>), body: [...(set?.body ?? []), ...second, ...claim] };
    expect(await told([two])).toEqual([
      ["CAD", true, true],
      [null, false, false],
    ]);
    const hashes = [claims("CUR*85*CAD"), claims()].map(async (sets) => {
      const event = (await unitsOf(sets))[0]?.events[0];
      return event?.type === "ClaimSubmitted" && event.fields.contentHash;
    });
    const [named, unnamed] = await Promise.all(hashes);
    expect(named).toBe(unnamed);
  });
});
