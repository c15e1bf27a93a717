import { describe, expect, it } from "vitest";
import { testDesk, unitsOf } from "./testing/desk.js";

const paid = (code: string, value: number) => ({ type: { coding: [{ code }] }, amount: { value } });
const reconciliation = (more: object = {}) => ({
  resourceType: "PaymentReconciliation",
  id: "r1",
  status: "active",
  created: "2026-03-05",
  paymentDate: "2026-03-05",
  paymentAmount: { value: 480 },
  detail: [paid("payment", 500), paid("adjustment", -20)],
  ...more,
});

async function unitOf(more: object) {
  const [unit] = await unitsOf(Buffer.from(JSON.stringify(reconciliation(more))), false, testDesk());
  const [event] = unit?.events ?? [];
  if (event?.type !== "RemittanceReceived") throw new Error("no remittance");
  return { flags: unit?.flags, event, fields: event.fields };
}

describe("a PaymentReconciliation", () => {
  it("that does not add up is kept, and says by how much", async () => {
    const { fields, flags } = await unitOf({ paymentAmount: { value: 479.5 } });
    const about = { claimsAmount: 50_000, providerAdjustmentAmount: 2_000, balanced: false, difference: -50 };
    expect([fields, flags]).toMatchObject([about, ["REMITTANCE_UNBALANCED"]]);
  });

  it("is told when its server changed it, so that the last of a day's versions counts; else on the day of payment", async () => {
    const meta = { lastUpdated: "2026-03-09T10:00:00.5Z" };
    const { event, fields } = await unitOf({ meta });
    expect([event.time, fields.paidAt]).toEqual([Date.UTC(2026, 2, 9, 10, 0, 0, 500), Date.UTC(2026, 2, 5)]);
    expect((await unitOf({})).event).toMatchObject({ time: Date.UTC(2026, 2, 5), timePrecision: "DAY" });
  });

  it.each(["cancelled", "entered-in-error"])(
    "that is %s is the same remittance, of nothing, told after it",
    async (status) => {
      const [before, back] = [await unitOf({}), await unitOf({ status })];
      const nothing = { paidAmount: 0, claimsAmount: 0, providerAdjustmentAmount: 0, claims: 0, difference: 0 };
      expect(back.fields).toMatchObject({ ...nothing, providerAdjustments: [], balanced: true });
      expect([back.event.subject, back.flags]).toEqual([before.event.subject, ["REMITTANCE_CANCELLED"]]);
      // The payment may be announced for a day to come.
      expect(back.event.time).toBeGreaterThan(before.event.time);
    },
  );

  it("that is a draft pays nothing yet", async () => {
    const draft = Buffer.from(JSON.stringify(reconciliation({ status: "draft" })));
    expect(await unitsOf(draft, false)).toMatchObject([{ events: [], flags: ["NOT_ACTIVE"] }]);
  });
});
