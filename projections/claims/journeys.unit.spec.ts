import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import {
  type ClaimStep,
  centsOf,
  dayOf,
  readTruth,
  statusOf,
  type TrueClaim,
} from "../../test/corpus/journeys-truth.js";
import claims from "./projection.js";

/**
 * Every claim of the sample journeys, from what its generator knows happened: events are made of the history here, so
 * this proves the fold alone.
 */
const corpus = process.env.TRIBUTARY_CORPUS ?? join(import.meta.dirname, "../../../shared/data");
const file = join(corpus, "expected/journeys-truth.json.gz");
const there = existsSync(file);
if (!there) console.log(`skipped: no ${file}; set TRIBUTARY_CORPUS to the folder of samples`);

const idOf = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;

type Given = Parameters<typeof recorded>[0][number];

const submissionTypes: Readonly<Record<string, string>> = { "7": "ClaimReplaced", "8": "ClaimVoided" };

function eventsOf(history: readonly ClaimStep[], key: string, remittanceOf: (name: string) => string): Given[] {
  return history.flatMap((step): Given[] => {
    const name = (step["837"] ?? step["835"]) as string;
    const time = dayOf(name) + 9 * 3_600_000;
    const content = { contentHash: JSON.stringify(step), payerControlNumberHash: step.icn_ref || null };
    if (step["837"]) {
      const fields = {
        payerId: "BSHP1",
        frequencyCode: step.frequency,
        billedAmount: centsOf(step.charge),
        ...content,
      };
      const type = submissionTypes[step.frequency ?? ""] ?? "ClaimSubmitted";
      return [{ type, key, time, fields } as unknown as Given, ...acknowledgmentOf(step, key, time)];
    }
    const fields = {
      payerId: "BSHP1",
      remittanceId: remittanceOf(name),
      traceNumber: name,
      occurrence: 1,
      statusCode: step.status,
      chargeAmount: centsOf(step.charge),
      paidAmount: centsOf(step.paid as string),
      patientAmount: 0,
      balanced: true,
      paidAt: dayOf(name),
      ...content,
      payerControlNumberHash: step.icn ?? null,
    };
    const type = step.status === "22" ? "ClaimPaymentReversed" : "ClaimAdjudicated";
    return [{ type, key, time, fields } as unknown as Given];
  });
}

/** The payer's 277CA, a day after the submission. */
function acknowledgmentOf(step: ClaimStep, key: string, submitted: number): Given[] {
  const category = step["277CA"];
  if (category === undefined) return [];
  const fields = {
    payerId: "BSHP1",
    verdict: category === "A2" ? "ACCEPTED" : "REJECTED",
    statuses: [{ level: "CLAIM", category, status: "20" }],
    contentHash: JSON.stringify(step),
  };
  return [{ type: "ClaimAcknowledged", key, time: submitted + 24 * 3_600_000, fields } as unknown as Given];
}

describe.skipIf(!there)("the claims of the sample journeys", () => {
  const truth = there ? readTruth(file).claims : {};
  const remittances = new Map<string, string>();
  const remittanceOf = (name: string): string => {
    const known = remittances.get(name) ?? idOf("e", remittances.size + 1);
    remittances.set(name, known);
    return known;
  };
  const numbers = Object.keys(truth);
  const given = numbers.flatMap((number, index) =>
    eventsOf((truth[number] as TrueClaim).history, idOf("c", index + 1), remittanceOf),
  );
  const expected = numbers.map((number, index) => {
    const claim = truth[number] as TrueClaim;
    return [idOf("c", index + 1), statusOf(claim), centsOf(claim.net_paid), centsOf(claim.last_charge)];
  });
  const shown = (events: ReturnType<typeof recorded>) =>
    (foldAll(claims, events).claims ?? []).map((row) => [row.claim_id, row.status, row.paid_amount, row.billed_amount]);

  it("end as their generator knows", () => {
    expect(expected).toHaveLength(917);
    expect(shown(recorded(given))).toEqual(expected);
    const count = (wanted: string) => expected.filter(([, status]) => status === wanted).length;
    expect(["paid", "adjudicated", "denied", "voided", "rejected", "acknowledged"].map(count)).toEqual([
      814, 5, 49, 21, 2, 26,
    ]);
  });

  it("end the same when the answers come before the claims", () => {
    expect(shown(recorded(given).reverse())).toEqual(expected);
  });

  it("replace no other claim: every replacement keeps its number", () => {
    expect(foldAll(claims, recorded(given)).claim_replacements).toEqual([]);
  });
});
