import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../engine/intake/connector.js";
import { bufferSource } from "../engine/reception/byte-source.js";
import { receive as receiveCsv } from "../producers/csv/reception.js";
import { corpus, profiles, sample } from "../producers/csv/testing/corpus.js";
import { receive as receiveX12 } from "../producers/x12/reception.js";
import { deskOf } from "../producers/x12/testing/desk.js";

/** What a payment is known by, and its money. */
function paymentsOf(units: readonly ReceivedUnit[]): string[] {
  const payments: string[] = [];
  for (const { type, subject, sealFor, fields } of units.flatMap(({ events }) => events)) {
    if (type !== "ClaimAdjudicated" && type !== "ClaimPaymentReversed") continue;
    const { remittanceId, occurrence, statusCode, chargeAmount, paidAmount, paidAt, payerControlNumberHash } = fields;
    payments.push(
      JSON.stringify([
        type,
        subject,
        sealFor,
        remittanceId,
        occurrence,
        statusCode,
        chargeAmount,
        paidAmount,
        paidAt,
        payerControlNumberHash,
      ]),
    );
  }
  return payments.sort();
}

describe.skipIf(corpus === null)("an insurer's payments, as CSV and as 835", () => {
  it("are the same payments: every id, every amount", async () => {
    const desk = deskOf();
    const csv = { intake: desk.intake, profiles, now: Date.now };
    const { answer } = await receiveCsv(bufferSource(sample("csv", "journeys", "remit.csv")), "journeys-remit", csv);
    await answer.release();
    const told = paymentsOf(desk.intake.units.splice(0));
    const folder = join(corpus!, "x12", "journeys");
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".835"))) {
      await receiveX12(bufferSource(readFileSync(join(folder, file))), "generic", desk);
    }
    expect(told).toHaveLength(1040);
    expect(told).toEqual(paymentsOf(desk.intake.units));
  });
});
