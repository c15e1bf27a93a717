import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import claims from "./projection.js";

type Given = Parameters<typeof recorded>[0][number];

const id = "00000000-0000-0000-000e-000000000002";
const day = (number: number) => Date.UTC(2021, 5, number);
const fold = (...events: readonly Given[]) => foldAll(claims, recorded(events));

describe("a remittance", () => {
  const remittance = (paidAmount: number, fields: object = {}): Given =>
    ({
      type: "RemittanceReceived",
      key: id,
      time: day(2),
      fields: {
        payerId: "BSHP1",
        traceNumber: "T2",
        method: "ACH",
        paidAt: day(2),
        paidAmount,
        claimsAmount: 8_000,
        providerAdjustmentAmount: 1_000,
        claims: 1,
        providerAdjustments: [{ reason: "WO", amount: 1_000, fiscalDate: "2021-12-31" }],
        balanced: paidAmount === 7_000,
        difference: paidAmount - 7_000,
        ...fields,
      },
      meta: { source: "insurer" },
    }) as unknown as Given;

  it("is one row, told again or not", () => {
    const later = remittance(6_000, { providerAdjustments: [], paidAt: day(3) });
    const tables = fold(remittance(7_000), later);
    expect(fold(later, remittance(7_000)).remittances).toEqual(tables.remittances);
    expect(tables.remittances).toMatchObject([
      { remittance_id: id, trace_number: "T2", paid_amount: 6_000, balanced: false, difference: -1_000 },
    ]);
    expect(tables.remittance_adjustments).toEqual([]);
    // Its sender's clock stands over the day of payment: that may be what was put right.
    const corrected: Given = { ...remittance(0, { paidAt: day(1) }), time: day(9) };
    for (const order of [
      [later, corrected],
      [corrected, later],
    ])
      expect(fold(...order).remittances).toMatchObject([{ paid_amount: 0, paid_at: day(1) }]);
    expect(fold(remittance(7_000)).remittance_adjustments).toMatchObject([
      { ordinal: 1, reason_code: "WO", amount: 1_000 },
    ]);
    expect(tables.claims).toEqual([]);
  });
});
