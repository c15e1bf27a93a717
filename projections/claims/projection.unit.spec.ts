import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import claims from "./projection.js";

const idOf = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;
const claim = idOf("c", 1);
const other = idOf("c", 2);
const member = idOf("a", 1);
const day = (number: number) => Date.UTC(2021, 5, number);
const noon = (number: number) => day(number) + 43_200_000;

type Given = Parameters<typeof recorded>[0][number];
type Submitted = "ClaimSubmitted" | "ClaimReplaced" | "ClaimVoided";
const frequencies: Readonly<Record<Submitted, string>> = { ClaimSubmitted: "1", ClaimReplaced: "7", ClaimVoided: "8" };

const line = (lineNumber: number, chargeAmount: number) => ({
  lineNumber,
  procedureQualifier: "HC",
  procedureCode: "99213",
  modifiers: ["25"],
  chargeAmount,
  units: "1",
  serviceDate: "2021-06-01",
});

function submitted(type: Submitted, time: number, billedAmount: number, fields: object = {}, key = claim): Given {
  return {
    type,
    key,
    time,
    fields: {
      payerId: "BSHP1",
      patientId: member,
      providerNpi: "1234567893",
      kind: "PROFESSIONAL",
      frequencyCode: frequencies[type],
      billedAmount,
      facilityCode: "22",
      diagnoses: [{ qualifier: "ABK", code: "Z0000" }],
      lines: [line(1, billedAmount)],
      payerControlNumberHash: type === "ClaimSubmitted" ? null : "icn-1",
      contentHash: JSON.stringify([billedAmount, fields]),
      ...fields,
    },
    sealed: { patientControlNumber: "NC000001", memberId: "M1" },
    meta: { source: "clearing" },
  } as unknown as Given;
}

/** A payment of the remittance of that day; negative when taken back. */
function paid(number: number, statusCode: string, paidAmount: number, fields: object = {}, key = claim): Given {
  return {
    type: statusCode === "22" ? "ClaimPaymentReversed" : "ClaimAdjudicated",
    key,
    time: noon(number),
    fields: {
      remittanceId: idOf("e", number),
      payerId: "BSHP1",
      traceNumber: `T${number}`,
      occurrence: 1,
      statusCode,
      chargeAmount: 10_000,
      paidAmount,
      patientAmount: 0,
      adjustments: [{ group: "CO", reason: "45", amount: 500 }],
      balanced: true,
      payerControlNumberHash: "icn-1",
      paidAt: day(number),
      contentHash: `${statusCode}:${paidAmount}`,
      ...fields,
    },
    sealed: { patientControlNumber: "NC000001", payerControlNumber: "I1", memberId: "M1" },
    meta: { source: "insurer" },
  } as unknown as Given;
}

const fold = (...events: readonly Given[]) => foldAll(claims, recorded(events));
const rowOf = (...events: readonly Given[]) => fold(...events).claims?.[0];

describe("a claim", () => {
  it("has the columns analysts are promised", () => {
    const tables = fold(
      submitted("ClaimSubmitted", noon(1), 10_000, { visitId: idOf("d", 1), lines: [line(1, 4_000), line(2, 6_000)] }),
      paid(12, "1", 8_000, {
        patientAmount: 1_500,
        allowedAmount: 9_500,
        adjustments: [
          { group: "CO", reason: "45", amount: 500 },
          { group: "PR", reason: "2", amount: 1_500, lineNumber: 1 },
        ],
        lines: [{ lineNumber: 1, chargeAmount: 10_000, paidAmount: 8_000 }],
      }),
    );
    expect(tables.claims).toEqual([
      {
        claim_id: claim,
        patient_id: member,
        visit_id: idOf("d", 1),
        partner: "clearing",
        payer_id: "BSHP1",
        provider_npi: "1234567893",
        kind: "professional",
        frequency_code: "1",
        status: "paid",
        billed_amount: 10_000,
        currency: null,
        allowed_amount: 9_500,
        paid_amount: 8_000,
        patient_amount: 1_500,
        adjusted_amount: 2_000,
        balanced: true,
        submission_missing: false,
        submitted_at: noon(1),
        acknowledged_at: null,
        adjudicated_at: day(12),
        facility_code: "22",
        diagnosis_codes: ["Z0000"],
        patient_control_number: "NC000001",
        payer_control_number: "I1",
        member_id: "M1",
      },
    ]);
    expect(tables.claim_lines).toMatchObject([
      {
        line_number: 1,
        procedure_code: "99213",
        charge_amount: 4_000,
        service_date: "2021-06-01",
        service_date_end: null,
      },
      { line_number: 2, charge_amount: 6_000 },
    ]);
    expect(tables.claim_adjustments).toMatchObject([
      { ordinal: 1, group_code: "CO", reason_code: "45", amount: 500, line_number: null },
      { ordinal: 2, group_code: "PR", amount: 1_500, line_number: 1 },
    ]);
    expect(tables.claim_payment_lines).toMatchObject([{ line_number: 1, paid_amount: 8_000 }]);
  });

  const first = submitted("ClaimSubmitted", noon(1), 10_000);
  it.each<[string, Given[], string, number]>([
    ["a submission", [first], "submitted", 0],
    ["a payment", [first, paid(2, "1", 8_000)], "paid", 8_000],
    ["a secondary payment", [first, paid(2, "19", 8_000)], "paid", 8_000],
    ["a decision without payment", [first, paid(2, "1", 0)], "adjudicated", 0],
    ["a code that decides no payment", [first, paid(2, "25", 8_000)], "adjudicated", 8_000],
    ["a denial", [first, paid(2, "4", 0)], "denied", 0],
    ["a reversal", [first, paid(2, "1", 8_000), paid(3, "22", -8_000)], "reversed", 0],
    ["a correction", [first, paid(2, "1", 8_000), paid(3, "22", -8_000), paid(4, "1", 7_000)], "paid", 7_000],
    [
      "a replacement under way",
      [first, paid(2, "1", 8_000), submitted("ClaimReplaced", noon(3), 9_000)],
      "submitted",
      8_000,
    ],
    ["a payment on the day of the submission", [first, paid(1, "1", 8_000)], "paid", 8_000],
  ])("%s", (_, events, status, net) => {
    expect(rowOf(...events)).toMatchObject({ status, paid_amount: net });
  });

  it("puts a reversal before a payment of the same day", () => {
    const same = { paidAt: day(3) };
    expect(rowOf(first, paid(2, "1", 8_000), paid(4, "1", 7_000, same), paid(3, "22", -8_000))).toMatchObject({
      status: "paid",
      paid_amount: 7_000,
    });
  });

  it("bills what its last submission says, and keeps it in a void", () => {
    const replacement = submitted("ClaimReplaced", noon(3), 9_000, { lines: [line(1, 9_000), line(2, 0)] });
    const tables = fold(first, replacement, submitted("ClaimVoided", noon(4), 1));
    expect(tables.claims).toMatchObject([{ billed_amount: 9_000, frequency_code: "8", submitted_at: noon(4) }]);
    expect(tables.claim_lines).toHaveLength(2);
    expect(fold(replacement, first).claim_lines).toHaveLength(2);
  });

  it("takes no change from a replacement or void without the payer's number", () => {
    const unnamed = { payerControlNumberHash: null };
    expect(fold(submitted("ClaimVoided", noon(2), 10_000, unnamed))).toMatchObject({
      claims: [],
      claim_submissions: [],
    });
    expect(rowOf(first, submitted("ClaimReplaced", noon(2), 1, unnamed))).toEqual(rowOf(first));
  });

  it("is made by a payer's answer alone, and says that the submission is missing", () => {
    expect(rowOf(paid(2, "22", -8_000))).toMatchObject({
      status: "reversed",
      submission_missing: true,
      billed_amount: null,
      partner: "insurer",
      submitted_at: null,
    });
    expect(rowOf(paid(2, "22", -8_000), first)).toMatchObject({ submission_missing: false, billed_amount: 10_000 });
  });

  it("counts a payment once when another channel tells it too", () => {
    const plain = { adjustments: [], contentHash: "of another channel", patientAmount: 0 };
    const both = [paid(2, "1", 8_000), paid(2, "1", 8_000, plain)];
    for (const events of [both, [...both].reverse()]) {
      const tables = fold(first, ...events);
      expect(tables.claims).toMatchObject([{ paid_amount: 8_000, adjusted_amount: 500 }]);
      expect(tables.claim_payments).toHaveLength(1);
      expect(tables.claim_adjustments).toHaveLength(1);
    }
    expect(rowOf(first, paid(2, "1", 8_000), paid(2, "1", 100, { occurrence: 2 }))).toMatchObject({
      paid_amount: 8_100,
    });
  });

  it("is paid as the last version of a decision says, by its sender's clock, in whatever order they come", () => {
    const versions = [8_000, 9_000, 7_000].map((amount, at) => ({ ...paid(2, "1", amount), time: noon(3 + at) }));
    for (const events of [versions, [...versions].reverse()])
      expect(rowOf(first, ...events)).toMatchObject({ paid_amount: 7_000 });
  });

  it("takes back the patient's part of a reversal that states none", () => {
    const share = (amount: number) => ({ adjustments: [{ group: "PR", reason: "1", amount }] });
    const events = [first, paid(2, "1", 8_000, { patientAmount: 2_000, allowedAmount: 10_000, ...share(2_000) })];
    expect(rowOf(...events)).toMatchObject({ patient_amount: 2_000, allowed_amount: 10_000 });
    expect(rowOf(...events, paid(3, "22", -8_000, share(-2_000)))).toMatchObject({
      patient_amount: 0,
      adjusted_amount: 0,
      allowed_amount: null,
    });
  });

  it("is unbalanced when one of its payments is", () => {
    expect(rowOf(first)).toMatchObject({ balanced: null });
    expect(rowOf(paid(2, "1", 8_000), paid(3, "1", 1, { balanced: false }))).toMatchObject({ balanced: false });
  });
});

describe("a claim under another number", () => {
  it("replaces the claim whose payer's number it names", () => {
    const tables = fold(
      submitted("ClaimSubmitted", noon(1), 10_000),
      paid(2, "1", 8_000),
      submitted("ClaimReplaced", noon(3), 9_000, {}, other),
    );
    expect(tables.claim_replacements).toEqual([
      { claim_id: claim, status: "replaced", replaces_claim_id: null, replaced_by_claim_id: other },
      { claim_id: other, status: null, replaces_claim_id: claim, replaced_by_claim_id: null },
    ]);
  });

  it("replaces nothing before an answer tells whose number it is, nor when the number is its own", () => {
    expect(fold(submitted("ClaimReplaced", noon(3), 9_000, {}, other)).claim_replacements).toEqual([]);
    expect(fold(paid(2, "1", 8_000), submitted("ClaimReplaced", noon(3), 9_000)).claim_replacements).toEqual([]);
  });

  it("is the one that said so last, where two do", () => {
    const third = idOf("c", 3);
    const events = [
      submitted("ClaimReplaced", noon(6), 9_000, {}, other),
      submitted("ClaimReplaced", noon(3), 9_000, {}, other),
      submitted("ClaimReplaced", noon(4), 9_000, {}, third),
    ];
    for (const given of [events, [...events].reverse()]) {
      const [replaced] = fold(paid(2, "1", 8_000), ...given).claim_replacements ?? [];
      expect(replaced).toMatchObject({ claim_id: claim, replaced_by_claim_id: other });
    }
  });

  it("still replaces it when the payer keeps the number for both", () => {
    const tables = fold(
      paid(5, "1", 9_000, {}, other),
      submitted("ClaimReplaced", noon(3), 9_000, {}, other),
      paid(2, "1", 8_000),
      paid(9, "22", -8_000),
    );
    expect(tables.claim_replacements).toMatchObject([
      { claim_id: claim, status: "replaced" },
      { replaces_claim_id: claim },
    ]);
  });
});

const key = fc.constantFrom(claim, other);
const anySubmission = fc
  .tuple(
    key,
    fc.constantFrom<Submitted>("ClaimSubmitted", "ClaimReplaced", "ClaimVoided"),
    fc.nat(3),
    fc.nat(2),
    fc.constantFrom("icn-1", "icn-2", null),
  )
  .map(([claimId, type, at, amount, number]) =>
    submitted(
      type,
      noon(at),
      amount,
      { payerControlNumberHash: number, lines: Array.from({ length: amount }, (_, i) => line(i + 1, 1)) },
      claimId,
    ),
  );
const anyPayment = fc
  .record({
    claimId: key,
    number: fc.nat(3),
    status: fc.constantFrom("1", "2", "4", "22"),
    amount: fc.integer({ min: -2, max: 2 }),
    occurrence: fc.integer({ min: 1, max: 2 }),
    paidAt: fc.nat(3).map(day),
    lines: fc.nat(2),
    hash: fc.constantFrom("icn-1", "icn-2", null),
  })
  .map(({ claimId, number, status, amount, occurrence, paidAt, lines, hash }) =>
    paid(
      number,
      status,
      amount,
      {
        occurrence,
        paidAt,
        payerControlNumberHash: hash,
        lines: Array.from({ length: lines }, (_, i) => ({ lineNumber: i + 1, chargeAmount: 1, paidAmount: 1 })),
      },
      claimId,
    ),
  );
const anyFacts = fc.array(fc.oneof(anySubmission, anyPayment), { minLength: 1, maxLength: 9 });

describe("any facts of claims", () => {
  it("give the same rows in any order of arrival", () => {
    fc.assert(
      fc.property(anyFacts, fc.func(fc.integer()), (given, shuffle) => {
        const events = recorded(given);
        const shuffled = [...events].sort((a, b) => shuffle(a.position.offset) - shuffle(b.position.offset));
        expect(foldAll(claims, shuffled)).toEqual(foldAll(claims, events));
      }),
    );
  });

  it("give the same clear columns without the sealed content", () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const events = recorded(given);
        const full = foldAll(claims, events);
        const bare = foldAll(
          claims,
          events.map((event) => ({ ...event, sealed: null })),
        );
        for (const [name, { columns }] of Object.entries(claims.tables)) {
          const clear = Object.keys(columns).filter((column) => !columns[column]?.restricted);
          const seen = (rows: typeof full) => rows[name]?.map((row) => clear.map((column) => row[column]));
          expect(seen(bare)).toEqual(seen(full));
        }
        expect(bare.claim_replacements).toEqual(full.claim_replacements);
        expect(bare.claims?.every((row) => row.member_id === null)).toBe(true);
      }),
    );
  });
});
