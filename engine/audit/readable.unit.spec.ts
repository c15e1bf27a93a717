import { expect, it } from "vitest";
import { instant, money, projection, table, text, uuid } from "../projector/definition.js";
import { readableTrail } from "./readable.js";
import type { Trail } from "./trail.js";

const claims = projection({
  name: "claims",
  version: 1,
  tables: {
    claims: table({
      comment: "Claims.",
      key: ["claim_id"],
      columns: {
        claim_id: uuid("Claim."),
        status: text("Status."),
        paid_amount: money("Paid."),
        adjudicated_at: instant("Decided."),
      },
    }),
  },
  fold: { ClaimAdjudicated: () => undefined },
});

it("a trail says amounts with their cents and instants with their zone, in rows, events and units", () => {
  const at = Date.UTC(2026, 0, 31, 23, 59, 59, 5);
  const trail = {
    units: [{ place: "0/1", receivedAt: at, recordedAt: at + 1 }],
    deliveries: [{ consumer: "acme", firstAttemptAt: at, lastAttemptAt: at + 1 }],
    decisions: [{ projection: "claims", action: "skip", at }],
    events: [
      {
        type: "ClaimAdjudicated",
        occurredAt: at,
        recordedAt: at,
        event: {
          meta: { id: "e", time: at },
          paidAmount: -1_205,
          allowedAmount: null,
          occurrence: 1,
          paidAt: at,
          adjustments: [{ group: "CO", reason: "45", amount: 7 }],
        },
        changes: [
          {
            projection: "claims",
            table: "claims",
            row: "c",
            change: "changed",
            columns: { paid_amount: [null, 8_000], adjudicated_at: [null, at], status: ["submitted", "paid"] },
          },
        ],
      },
    ],
  } as unknown as Trail;
  const text = "2026-01-31T23:59:59.005Z";
  expect(readableTrail(trail, [claims])).toMatchObject({
    units: [{ receivedAt: text, recordedAt: "2026-01-31T23:59:59.006Z" }],
    decisions: [{ projection: "claims", action: "skip", at: text }],
    deliveries: [{ consumer: "acme", firstAttemptAt: text, lastAttemptAt: "2026-01-31T23:59:59.006Z" }],
    events: [
      {
        occurredAt: text,
        recordedAt: text,
        event: {
          meta: { id: "e", time: text },
          paidAmount: "-12.05",
          allowedAmount: null,
          occurrence: 1,
          paidAt: text,
          adjustments: [{ group: "CO", reason: "45", amount: "0.07" }],
        },
        changes: [
          { columns: { paid_amount: [null, "80.00"], adjudicated_at: [null, text], status: ["submitted", "paid"] } },
        ],
      },
    ],
  });
});
