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
 * this proves the fold alone. What only a 277CA tells (accepted, rejected, an accepted void) is not in these events.
 */
const corpus = process.env.TRIBUTARY_CORPUS ?? join(import.meta.dirname, "../../../shared/data");
const file = join(corpus, "expected/journeys-truth.json.gz");
const there = existsSync(file);
if (!there) console.log(`skipped: no ${file}; set TRIBUTARY_CORPUS to the folder of samples`);

const idOf = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;

type Given = Parameters<typeof recorded>[0][number];

const submissionTypes: Readonly<Record<string, string>> = { "7": "ClaimReplaced", "8": "ClaimVoided" };

function eventsOf(history: readonly ClaimStep[], key: string, remittanceOf: (name: string) => string): Given[] {
  return history.map((step) => {
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
      return { type: submissionTypes[step.frequency ?? ""] ?? "ClaimSubmitted", key, time, fields } as unknown as Given;
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
    return { type, key, time, fields } as unknown as Given;
  });
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

  it("end as their generator knows, as far as submissions and remittances tell", () => {
    expect(expected).toHaveLength(917);
    expect(shown(recorded(given))).toEqual(expected);
    const count = (wanted: string) => expected.filter(([, status]) => status === wanted).length;
    expect(["paid", "adjudicated", "denied", "reversed", "submitted"].map(count)).toEqual([814, 5, 49, 21, 28]);
  });

  it("end the same when the answers come before the claims", () => {
    expect(shown(recorded(given).reverse())).toEqual(expected);
  });

  it("replace no other claim: every replacement keeps its number", () => {
    expect(foldAll(claims, recorded(given)).claim_replacements).toEqual([]);
  });
});
