import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { recorded } from "../engine/testing/events.js";
import { foldAll } from "../engine/testing/fold.js";
import { testSurrogate } from "../engine/testing/recording-intake.js";
import { corpusOrSkip } from "../producers/x12/testing/corpus.js";
import { deskOf, take } from "../producers/x12/testing/desk.js";
import { RecordingIntake } from "../producers/x12/testing/recording-intake.js";
import claims from "../projections/claims/projection.js";
import { centsOf, readTruth, statusOf } from "./corpus/journeys-truth.js";

const folder = corpusOrSkip();

describe.skipIf(folder === null)("the files of the sample journeys (837, 999, 277CA, 835), from bytes to rows", () => {
  it("end every claim as their generator knows", async () => {
    const desk = deskOf(Object.assign(new RecordingIntake(), { surrogate: testSurrogate }));
    const files = readdirSync(join(folder!, "x12", "journeys")).sort();
    for (const file of files) await take(readFileSync(join(folder!, "x12", "journeys", file)), desk);
    const events = desk.intake.published.flatMap((unit) =>
      unit.events.map(({ type, subject, time, timePrecision, fields, sealed }) => ({
        type,
        key: subject,
        time,
        fields,
        ...(sealed ? { sealed } : {}),
        meta: { source: unit.partner, ...(timePrecision ? { timePrecision } : {}) },
      })),
    ) as unknown as Parameters<typeof recorded>[0];
    const tables = foldAll(claims, recorded(events));
    const shown = Object.fromEntries(
      (tables.claims ?? []).map((row) => [
        row.patient_control_number,
        [row.status, row.paid_amount, row.billed_amount],
      ]),
    );
    const { claims: truth } = readTruth(join(folder!, "expected/journeys-truth.json.gz"));
    expect(shown).toEqual(
      Object.fromEntries(
        Object.entries(truth).map(([number, claim]) => [
          number,
          [statusOf(claim), centsOf(claim.net_paid), centsOf(claim.last_charge)],
        ]),
      ),
    );

    // 50 files of claims: their groups are acknowledged by 48 that accept and 2 that refuse, all but those by a 277CA.
    const count = (form: string, verdict: string) =>
      (tables.interchange_acknowledgments ?? []).filter((row) => row.form === form && row.verdict === verdict).length;
    expect([count("999", "accepted"), count("999", "rejected"), count("277CA", "accepted")]).toEqual([48, 2, 48]);
    const groups = new Set((tables.claim_submissions ?? []).map((row) => row.group_id));
    const acknowledged = (tables.interchange_acknowledgments ?? []).filter(({ form }) => form === "999");
    expect(acknowledged.every(({ transmission_id }) => groups.has(transmission_id as string))).toBe(true);
    expect((tables.claim_acknowledgments ?? []).filter(({ verdict }) => verdict === "rejected")).toHaveLength(37);
  });
});
