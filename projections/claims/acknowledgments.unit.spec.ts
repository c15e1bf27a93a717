import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import claims from "./projection.js";

const claim = "00000000-0000-0000-000c-000000000001";
const batch = (number: number) => `00000000-0000-0000-000b-${String(number).padStart(12, "0")}`;
const at = (day: number, hour = 0) => Date.UTC(2026, 2, day, hour);

type Given = Parameters<typeof recorded>[0][number];

/** The claim sent on a day at an hour, in a batch of that day. */
function sent(day: number, frequency = "1", hour = 12, inBatch: string | null = batch(day * 100 + hour)): Given {
  const type = { "7": "ClaimReplaced", "8": "ClaimVoided" }[frequency] ?? "ClaimSubmitted";
  return {
    type,
    key: claim,
    time: at(day, hour),
    fields: {
      payerId: "PLAN1",
      frequencyCode: frequency,
      billedAmount: 10_000,
      payerControlNumberHash: frequency === "1" ? null : "icn",
      contentHash: `${day}/${hour}/${frequency}`,
      transmission:
        inBatch === null
          ? null
          : {
              interchangeId: batch(1),
              groupId: batch(2),
              batchId: inBatch,
              interchangeControl: "1",
              groupControl: "1",
              setControl: "1",
            },
    },
  } as unknown as Given;
}

/** A 277CA of the claim: of the batch named, at 09:00 of its day. */
function answered(day: number, category: string, ofBatch: string | null = null, hour = 9, meta: object = {}): Given {
  const verdict = ["A3", "A6", "A7", "A8"].includes(category) ? "REJECTED" : "ACCEPTED";
  return {
    type: "ClaimAcknowledged",
    key: claim,
    time: at(day, hour),
    meta,
    fields: {
      payerId: "PLAN1",
      verdict: category === "A4" ? "UNKNOWN" : verdict,
      batchId: ofBatch,
      statuses: [{ level: "CLAIM", category, status: "20", amount: 10_000 }],
      contentHash: `${day}/${category}`,
    },
  } as unknown as Given;
}

function paid(day: number, status: string, amount: number): Given {
  return {
    type: status === "22" ? "ClaimPaymentReversed" : "ClaimAdjudicated",
    key: claim,
    time: at(day),
    fields: {
      remittanceId: batch(day),
      payerId: "PLAN1",
      traceNumber: `T${day}`,
      occurrence: 1,
      statusCode: status,
      chargeAmount: amount,
      paidAmount: amount,
      patientAmount: 0,
      balanced: true,
      paidAt: at(day),
      contentHash: `${day}/${status}`,
    },
  } as unknown as Given;
}

const rowOf = (events: readonly Given[]) => foldAll(claims, recorded(events)).claims?.[0];

const stories: readonly (readonly [string, string, readonly Given[]])[] = [
  ["accepted by the payer's system", "acknowledged", [sent(1), answered(2, "A2")]],
  ["turned away", "rejected", [sent(1), answered(2, "A7")]],
  ["answered with a code that says neither", "submitted", [sent(1), answered(2, "A4")]],
  ["turned away, sent again and not answered yet", "submitted", [sent(1), answered(2, "A3"), sent(3)]],
  [
    "turned away, sent again on the day and accepted",
    "acknowledged",
    [sent(1, "1", 8), answered(1, "A7"), sent(1, "1", 14), answered(2, "A2")],
  ],
  [
    "sent twice, the second refused, the first paid before",
    "rejected",
    [sent(1), paid(10, "1", 80), sent(12, "7"), answered(13, "A7")],
  ],
  [
    "acknowledged after it was paid: the payment is further on",
    "paid",
    [sent(1), paid(10, "1", 80), answered(11, "A2")],
  ],
  [
    "replaced and the replacement accepted",
    "acknowledged",
    [sent(1), paid(10, "1", 80), sent(12, "7"), answered(13, "A2")],
  ],
  ["withdrawn, and the payer accepted that", "voided", [sent(1), paid(10, "1", 80), sent(12, "8"), answered(13, "A2")]],
  [
    "withdrawn, accepted, taken back",
    "voided",
    [sent(1), paid(10, "1", 80), sent(12, "8"), answered(13, "A2"), paid(20, "22", -80)],
  ],
  [
    "withdrawn, and the payer refused that",
    "rejected",
    [sent(1), paid(10, "1", 80), sent(12, "8"), answered(13, "A7")],
  ],
  [
    "withdrawn and accepted, but paid later all the same",
    "paid",
    [sent(1), sent(12, "8"), answered(13, "A2"), paid(20, "1", 80)],
  ],
  ["known by an answer alone", "acknowledged", [answered(2, "A2")]],
];

describe("the status of a claim with acknowledgments", () => {
  it.each(stories)("%s: %s, in any order of arrival", (_story, status, events) => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...events], { minLength: events.length }), (order) => {
        expect(rowOf(order)?.status).toBe(status);
      }),
      { numRuns: 20 },
    );
  });

  it("goes by the batch named, whatever the clocks say", () => {
    const first = sent(2, "1", 8);
    const again = sent(2, "1", 14);
    // The payer's clock is behind: its refusal of the second looks older than the second.
    const refusal = answered(2, "A7", batch(214), 10);
    expect(rowOf([first, again, refusal])?.status).toBe("rejected");
    expect(rowOf([first, again, answered(3, "A7", batch(208))])?.status).toBe("submitted");
  });

  it("takes an answer without a time of day for one of any hour of its day", () => {
    const dayOnly = answered(1, "A2", null, 0, { timePrecision: "DAY" });
    expect(rowOf([sent(1), dayOnly])?.status).toBe("acknowledged");
  });

  it("tells when it was last acknowledged, and that it was never submitted here", () => {
    expect(rowOf([sent(1), answered(2, "A2"), answered(4, "A2")])?.acknowledged_at).toBe(at(4, 9));
    expect(rowOf([answered(2, "A2")])).toMatchObject({ submission_missing: true, payer_id: "PLAN1" });
  });

  it("keeps every code with its level", () => {
    const [code] = foldAll(claims, recorded([answered(2, "A7")])).claim_status_codes ?? [];
    expect(code).toMatchObject({ level: "claim", category_code: "A7", status_code: "20", amount: 10_000, ordinal: 1 });
  });

  it("is not moved by a report on inquiry", () => {
    const report = {
      type: "ClaimStatusReported",
      key: claim,
      time: at(5),
      fields: {
        payerId: "PLAN1",
        statuses: [{ level: "CLAIM", category: "F1", status: "65" }],
        paidAmount: 5_000,
        contentHash: "x",
      },
    } as unknown as Given;
    const tables = foldAll(claims, recorded([sent(1), report]));
    expect(tables.claims?.[0]).toMatchObject({ status: "submitted", paid_amount: 0 });
    expect(tables.claim_status_reports).toMatchObject([{ paid_amount: 5_000 }]);
  });
});
