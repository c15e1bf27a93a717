import { expect, it } from "vitest";
import { testDesk, unitsOf } from "./testing/desk.js";

const money = (value: number, currency?: string) => ({ value, ...(currency === undefined ? {} : { currency }) });
const reconciliation = (paid: object, detail: object) => ({
  resourceType: "PaymentReconciliation",
  id: "r1",
  status: "active",
  created: "2026-03-05",
  paymentDate: "2026-03-05",
  detail: [{ type: { coding: [{ code: "payment" }] }, amount: detail }],
  paymentAmount: paid,
});
const claim = (more: object) => ({
  resourceType: "Claim",
  id: "c1",
  status: "active",
  use: "claim",
  type: { coding: [{ code: "professional" }] },
  patient: { reference: "Patient/p1" },
  created: "2026-03-05",
  provider: { identifier: { value: "n" } },
  priority: { coding: [{ code: "normal" }] },
  insurance: [{ sequence: 1, focal: true, coverage: { display: "c" } }],
  ...more,
});
const decision = (more: object) => ({
  resourceType: "ExplanationOfBenefit",
  id: "e1",
  status: "active",
  use: "claim",
  type: { coding: [{ code: "professional" }] },
  patient: { reference: "Patient/p1" },
  created: "2026-03-05",
  insurer: { display: "i" },
  provider: { display: "p" },
  outcome: "complete",
  claim: { reference: "Claim/c1" },
  insurance: [{ focal: true, coverage: { display: "c" } }],
  ...more,
});

async function toldOf(resource: object) {
  const [unit] = await unitsOf(Buffer.from(JSON.stringify(resource)), false, testDesk());
  const [event] = unit?.events ?? [];
  if (!event) throw new Error(`no event: ${JSON.stringify(unit)}`);
  const { currency, contentHash } = event.fields as { currency?: string | null; contentHash?: string };
  return { currency, contentHash, several: unit?.flags?.includes("SEVERAL_CURRENCIES") };
}

it("amounts of claims, decisions and remittances are in the currency that they name", async () => {
  for (const resource of [
    claim({ total: money(5, "CAD") }),
    decision({ payment: { amount: money(5, "CAD") } }),
    reconciliation(money(5, "CAD"), money(5, "CAD")),
  ])
    expect(await toldOf(resource)).toMatchObject({ currency: "CAD", several: false });
  expect(await toldOf(claim({ total: money(5) }))).toMatchObject({ currency: null, several: false });
});

it("is the one of what was paid where there are several, which is flagged, and never free text", async () => {
  const two = reconciliation(money(5, "CAD"), money(7, "USD"));
  expect(await toldOf(two)).toMatchObject({ currency: "CAD", several: true });
  expect(await toldOf(reconciliation(money(5), money(7, "USD")))).toMatchObject({ currency: "USD", several: false });
  expect(await toldOf(claim({ total: money(5, "Ann-Lee") }))).toMatchObject({ currency: "XXX" });
});

it("changes nothing of what makes two tellings the same", async () => {
  const [named, unnamed] = [claim({ total: money(5, "CAD") }), claim({ total: money(5) })];
  expect((await toldOf(named)).contentHash).toBe((await toldOf(unnamed)).contentHash);
});
