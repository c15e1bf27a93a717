import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import claims from "./projection.js";

type Given = Parameters<typeof recorded>[0][number];

const claim = "00000000-0000-0000-000c-000000000001";
const told = (type: string, key: string, day: number, fields: object): Given =>
  ({ type, key, time: Date.UTC(2026, 2, day), fields: { contentHash: String(day), ...fields } }) as unknown as Given;
const sent = (day: number, currency: string | null, frequencyCode = "1") =>
  told("ClaimSubmitted", claim, day, { frequencyCode, billedAmount: 100, currency });
const paid = (day: number, currency: string | null) =>
  told("ClaimAdjudicated", claim, day, {
    ...{ remittanceId: claim, traceNumber: "T1", occurrence: 1, statusCode: "1", chargeAmount: 100, paidAmount: 80 },
    ...{ patientAmount: 0, balanced: true, paidAt: Date.UTC(2026, 2, day), currency },
  });

describe("the currency of a claim", () => {
  const of = (...events: readonly Given[]) => {
    const tables = foldAll(claims, recorded(events));
    return [tables.claims, tables.claim_submissions, tables.claim_payments].map((rows) =>
      (rows ?? []).map(({ currency }) => currency),
    );
  };

  it("is its last submission's, else its last payment's, and each of these has its own", () => {
    expect(of(sent(1, "CAD"), paid(5, "USD"))).toEqual([["CAD"], ["CAD"], ["USD"]]);
    expect(of(sent(1, "CAD"), sent(2, "EUR"))).toEqual([["EUR"], ["CAD", "EUR"], []]);
    expect(of(sent(1, null), paid(5, "CAD"))).toEqual([["CAD"], [null], ["CAD"]]);
    expect(of(sent(1, null), paid(5, null))).toEqual([[null], [null], [null]]);
  });

  it("is a remittance's too", () => {
    const remittance = told("RemittanceReceived", claim, 5, { traceNumber: "T1", paidAmount: 80, currency: "CAD" });
    expect(foldAll(claims, recorded([remittance])).remittances).toMatchObject([{ currency: "CAD" }]);
  });
});
