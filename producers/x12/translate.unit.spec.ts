import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { deskOf, take } from "./testing/desk.js";
import {
  claim,
  claims837,
  heading835,
  heading837,
  interchange,
  type MadeSet,
  remittance835,
  subscriber,
} from "./testing/interchange.js";

const desk = deskOf();
const { surrogate } = desk.intake;
const NPI = "1234567893";

async function unitsOf(set: MadeSet): Promise<ReceivedUnit[]> {
  const fresh = deskOf();
  const { accepted, answer } = await take(interchange([set]), fresh);
  expect(accepted, answer.toString("latin1")).toBe(true);
  return fresh.intake.units.filter((unit) => unit.entry === "UNIT");
}

const only = async (set: MadeSet) => (await unitsOf(set))[0]!;

describe("an 837", () => {
  it("makes a claim submitted, its people sealed", async () => {
    const unit = await only(claims837(...heading837, ...subscriber, ...claim));
    const patient = surrogate("patient", "PLAN1", "MI", "M100");
    expect(unit.format).toBe("837P");
    expect(unit.sealFor).toEqual([patient]);
    expect(unit.controlId).toEqual({ scope: ["SENDER", "RECEIVER"], value: "000000001/1/0001/C1" });
    const [event] = unit.events;
    expect(event).toMatchObject({
      type: "ClaimSubmitted",
      subject: surrogate("claim", NPI, "", "C1"),
      time: Date.UTC(2026, 2, 1, 14, 30),
      timePrecision: "MINUTE",
      sealFor: patient,
      sealed: {
        patientControlNumber: "C1",
        payerControlNumber: null,
        memberId: "M100",
        patientName: "DOE, JANE",
        subscriberName: "DOE, JANE",
        birthDate: "1980-01-02",
      },
      fields: {
        patientId: patient,
        payerId: "PLAN1",
        providerNpi: NPI,
        kind: "PROFESSIONAL",
        frequencyCode: "1",
        billedAmount: 10050,
        facilityCode: "11",
        diagnoses: [
          { qualifier: "ABK", code: "J0190" },
          { qualifier: "ABF", code: "E119" },
        ],
        payerControlNumberHash: null,
        flags: [],
      },
    });
    expect(event!.type === "ClaimSubmitted" && event!.fields.lines).toEqual([
      {
        lineNumber: 1,
        procedureQualifier: "HC",
        procedureCode: "99213",
        modifiers: ["25"],
        revenueCode: null,
        chargeAmount: 6025,
        units: "1",
        serviceDate: "2026-02-15",
        serviceDateEnd: null,
      },
      expect.objectContaining({ lineNumber: 2, serviceDate: "2026-02-15", serviceDateEnd: "2026-02-16" }),
    ]);
  });

  it("names nobody outside the sealed part", async () => {
    const unit = await only(claims837(...heading837, ...subscriber, ...claim));
    const { sealed, ...clear } = unit.events[0]!;
    expect(sealed).toBeDefined();
    for (const personal of ["DOE", "JANE", "M100", "1980", "C1"]) {
      expect(JSON.stringify(clear)).not.toContain(`"${personal}`);
    }
  });

  it("takes replacement and void by the payer's number, and without it makes nothing but a flag", async () => {
    const hash = surrogate("payer-control", NPI, "", "ICN7");
    for (const [frequency, type] of [
      ["7", "ClaimReplaced"],
      ["8", "ClaimVoided"],
    ]) {
      const [first, ...rest] = claim;
      const changed = first!.replace("11:B:1", `11:B:${frequency}`);
      const named = await only(claims837(...heading837, ...subscriber, changed, "REF*F8*ICN7", ...rest));
      expect(named.events[0]).toMatchObject({
        type,
        fields: { payerControlNumberHash: hash, frequencyCode: frequency },
      });
      const unnamed = await only(claims837(...heading837, ...subscriber, changed, ...rest));
      expect(unnamed).toMatchObject({
        events: [],
        verdict: { accepted: true },
        flags: ["MISSING_PAYER_CONTROL_NUMBER"],
      });
    }
    const [first, ...rest] = claim;
    const open = await only(claims837(...heading837, ...subscriber, first!.replace("11:B:1", "11:B"), ...rest));
    expect([open.events[0]?.type, open.flags]).toEqual(["ClaimSubmitted", ["FREQUENCY_MISSING"]]);
  });

  it("does not take the number or the people of another payer for the claim's", async () => {
    const other = ["SBR*S*18*******CI", "OI***Y***Y", "NM1*IL*1*ROE*RICHARD****MI*X9", "NM1*PR*2*OTHER*****PI*OTHER1"];
    const [first, ...rest] = claim;
    const unit = await only(
      claims837(...heading837, ...subscriber, first!, rest[0]!, ...other, "REF*F8*OTHERICN", ...rest.slice(1)),
    );
    expect(unit.events[0]).toMatchObject({
      fields: { payerControlNumberHash: null, payerId: "PLAN1", billedAmount: 10050 },
      sealed: { memberId: "M100", payerControlNumber: null, patientName: "DOE, JANE" },
    });
  });

  it("knows a dependent by member id, birth date and first name, and seals for both people", async () => {
    const dependent = ["HL*3*2*23*0", "PAT*19", "NM1*QC*1*DOE*TED", "DMG*D8*20100304*M"];
    const second = ["HL*4*2*23*0", "PAT*19", "NM1*QC*1*DOE*ANN", "DMG*D8*20120304*F"];
    const again = claim.map((segment) => segment.replace("CLM*C1", "CLM*C2"));
    const units = await unitsOf(
      claims837(...heading837, ...subscriber, ...dependent, ...claim, ...second, ...again, ...claim),
    );
    const mother = surrogate("patient", "PLAN1", "MI", "M100");
    const ted = surrogate("patient", "PLAN1", "MI-DEP", "M100|2010-03-04|TED");
    const ann = surrogate("patient", "PLAN1", "MI-DEP", "M100|2012-03-04|ANN");
    expect(units.map((unit) => unit.sealFor)).toEqual([[mother, ted], [ann], [ann]]);
    expect(units[0]!.events[0]).toMatchObject({
      fields: { patientId: ted },
      sealed: { patientName: "DOE, TED", subscriberName: "DOE, JANE", birthDate: "2010-03-04" },
    });
  });

  it("seals under the claim's own key where nobody is named by a member id", async () => {
    const nameless = subscriber.map((segment) => segment.replace("****MI*M100", ""));
    const unit = await only(claims837(...heading837, ...nameless, ...claim));
    const claimId = surrogate("claim", NPI, "", "C1");
    expect(unit.sealFor).toEqual([claimId]);
    expect(unit.events[0]).toMatchObject({ fields: { patientId: null }, sealFor: claimId });
    expect(unit.flags).toContain("PATIENT_UNIDENTIFIED");
  });

  it("names the billing provider by tax id where it has no NPI", async () => {
    const heading = heading837.map((segment) => segment.replace("*****XX*1234567893", ""));
    const unit = await only(claims837(...heading, ...subscriber, ...claim));
    expect(unit.events[0]).toMatchObject({
      subject: surrogate("claim", "999888777", "", "C1"),
      fields: { providerNpi: null },
    });
  });

  it("keeps claims of providers that nothing names apart by their submitter, flagged", async () => {
    const heading = heading837
      .map((segment) => segment.replace("*****XX*1234567893", ""))
      .filter((segment) => !segment.startsWith("REF*EI"));
    const subjects = new Set<string>();
    for (const sender of ["ONE", "OTHER"]) {
      const desk = deskOf();
      await take(interchange([claims837(...heading, ...subscriber, ...claim)], { sender }), desk);
      const unit = desk.intake.units.find(({ entry }) => entry === "UNIT");
      expect(unit?.flags).toContain("BILLING_PROVIDER_UNIDENTIFIED");
      subjects.add(unit!.events[0]!.subject);
    }
    expect(subjects.size).toBe(2);
  });

  it("reads institutional and dental lines", async () => {
    const institutional: MadeSet = {
      functionalId: "HC",
      guide: "005010X223A2",
      body: [
        ...heading837,
        ...subscriber,
        "CLM*C1*100***11:A:1*Y*A*Y*Y",
        "DTP*434*RD8*20260201-20260203",
        "CL1*3**01",
        "HI*ABK:J0190",
        "HI*BH:A1:D8:20260101",
        "LX*1",
        "SV2*0305*HC:85025*100*UN*3",
      ],
    };
    expect((await only(institutional)).events[0]).toMatchObject({
      fields: {
        kind: "INSTITUTIONAL",
        diagnoses: [{ qualifier: "ABK", code: "J0190" }],
        lines: [{ revenueCode: "0305", procedureCode: "85025", chargeAmount: 10000, units: "3" }],
      },
    });
    const dental: MadeSet = {
      functionalId: "HC",
      guide: "005010X224A2",
      body: [
        ...heading837,
        ...subscriber,
        "CLM*C1*50***11:B:1*Y*A*Y*Y",
        "DTP*472*D8*20260205",
        "LX*1",
        "SV3*AD:D1110*50****1",
      ],
    };
    expect((await only(dental)).events[0]).toMatchObject({
      fields: {
        kind: "DENTAL",
        lines: [{ procedureQualifier: "AD", procedureCode: "D1110", serviceDate: "2026-02-05", units: "1" }],
      },
    });
  });

  it("makes the same content hash of the same facts only", async () => {
    const hash = async (body: readonly string[]) => {
      const [event] = (await only(claims837(...body))).events;
      return event!.type === "ClaimSubmitted" ? event!.fields.contentHash : "";
    };
    const one = await hash([...heading837, ...subscriber, ...claim]);
    expect(one).toMatch(/^[0-9a-f]{32}$/);
    expect(await hash([...heading837, ...subscriber, ...claim])).toBe(one);
    const dearer = claim.map((segment) => segment.replace("40.25", "40.26").replace("100.5", "100.51"));
    expect(await hash([...heading837, ...subscriber, ...dearer])).not.toBe(one);
  });
});

describe("an 835", () => {
  const payment = [
    "CLP*C1*1*100.5*80*10*12*ICN1*11*1",
    "CAS*CO*45*10.5",
    "NM1*QC*1*DOE*JANE****MI*M100",
    "AMT*AU*90",
    "SVC*HC:99213*60.25*50",
    "DTM*472*20260215",
    "CAS*PR*1*10**2*0.25*3",
    "REF*6R*L1",
    "AMT*B6*60",
  ];

  it("makes a remittance and its decisions, that agree with the 837", async () => {
    const body = [...heading835, "LX*1", ...payment, "PLB*1234567893*20261231*WO:X*-0.25*CS*0.25"];
    const [head, paid] = await unitsOf(remittance835(...body));
    const remittanceId = surrogate("remittance", "PLAN1", "", "T1");
    const paidAt = Date.UTC(2026, 2, 10);
    expect(head!.sealFor).toEqual([]);
    expect(head!.events[0]).toEqual({
      type: "RemittanceReceived",
      subject: remittanceId,
      time: paidAt,
      timePrecision: "DAY",
      fields: {
        payerId: "PLAN1",
        payeeNpi: NPI,
        traceNumber: "T1",
        method: "ACH",
        paidAt,
        paidAmount: 8000,
        claimsAmount: 8000,
        providerAdjustmentAmount: 0,
        currency: null,
        claims: 1,
        providerAdjustments: [
          { reason: "WO", fiscalDate: "2026-12-31", amount: -25 },
          { reason: "CS", fiscalDate: "2026-12-31", amount: 25 },
        ],
        balanced: true,
        difference: 0,
        flags: [],
      },
    });
    expect(paid!.events[0]).toMatchObject({
      type: "ClaimAdjudicated",
      subject: surrogate("claim", NPI, "", "C1"),
      fields: {
        patientId: surrogate("patient", "PLAN1", "MI", "M100"),
        remittanceId,
        occurrence: 1,
        statusCode: "1",
        chargeAmount: 10050,
        paidAmount: 8000,
        patientAmount: 1000,
        allowedAmount: 9000,
        frequencyCode: "1",
        balanced: false,
        payerControlNumberHash: surrogate("payer-control", NPI, "", "ICN1"),
        adjustments: [
          { lineNumber: null, group: "CO", reason: "45", amount: 1050, quantity: null },
          { lineNumber: 1, group: "PR", reason: "1", amount: 1000, quantity: null },
          { lineNumber: 1, group: "PR", reason: "2", amount: 25, quantity: "3" },
        ],
        lines: [
          {
            lineNumber: 1,
            procedureCode: "99213",
            paidAmount: 5000,
            allowedAmount: 6000,
            serviceDate: "2026-02-15",
            controlNumber: surrogate("claim", NPI, "line", "L1"),
          },
        ],
      },
      sealed: { patientControlNumber: "C1", payerControlNumber: "ICN1", patientName: "DOE, JANE", memberId: "M100" },
    });
    expect(paid!.flags).toEqual(["PAYMENT_UNBALANCED"]);
  });

  it("tells a reversal from a payment, and counts the occurrences of a claim", async () => {
    const reversal = ["CLP*C1*22*-100*-80*0*12*ICN1", "CAS*CO*45*-20", "NM1*QC*1*DOE*JANE****MI*M100"];
    const correction = ["CLP*C1*1*100*160*0*12*ICN1", "CAS*CO*45*-60", "NM1*QC*1*DOE*JANE****MI*M100"];
    const units = await unitsOf(remittance835(...heading835, "LX*1", ...reversal, ...correction));
    expect(units.flatMap((unit) => unit.events)).toMatchObject([
      { fields: { balanced: true, claims: 2 } },
      { type: "ClaimPaymentReversed", fields: { occurrence: 1, paidAmount: -8000, balanced: true } },
      { type: "ClaimAdjudicated", fields: { occurrence: 2, paidAmount: 16000, balanced: true } },
    ]);
    // The correction uses no control id again: it has one of its own.
    expect(units.map((unit) => unit.controlId)).toEqual([
      { scope: ["SENDER", "RECEIVER"], value: "000000001/1/0001/T1" },
      { scope: ["SENDER", "RECEIVER"], value: "000000001/1/0001/C1" },
      { scope: ["SENDER", "RECEIVER", "2"], value: "000000001/1/0001/C1" },
    ]);
  });

  it("takes a zero for no number of a claim: each is the payer's own, and none is paid for another", async () => {
    const zero = (payerNumber: string) => [`CLP*0*1*100*80*0*12*${payerNumber}`, "CAS*CO*45*20"];
    const units = await unitsOf(
      remittance835(...heading835, "LX*1", ...zero("ICN1"), ...zero("ICN2"), ...zero(""), ...zero(""), ...zero("ICN1")),
    );
    const payments = units.slice(1);
    expect(payments.map(({ flags }) => flags?.includes("CLAIM_UNIDENTIFIED"))).toEqual(payments.map(() => true));
    const subjects = payments.map(({ events }) => events[0]!.subject);
    expect([new Set(subjects).size, subjects[4]]).toEqual([4, subjects[0]]);
    expect(payments[4]!.events[0]).toMatchObject({
      fields: { occurrence: 2 },
      sealed: { patientControlNumber: null, payerControlNumber: "ICN1" },
    });
    expect(subjects).not.toContain(surrogate("claim", NPI, "", "0"));
  });

  it("without a name of its payee tells of that receiver's claims only", async () => {
    const nameless = heading835
      .map((segment) => segment.replace("*XX*1234567893", ""))
      .filter((segment) => !segment.startsWith("REF*TJ"));
    const [head, paid] = await unitsOf(remittance835(...nameless, "LX*1", "CLP*C1*1*80*80"));
    expect(head!.flags).toContain("PAYEE_UNIDENTIFIED");
    expect(paid!.events[0]!.subject).toBe(surrogate("claim", "@RECEIVER", "", "C1"));
  });

  it("takes a debit as negative and tells the difference", async () => {
    const heading = heading835.map((segment) => segment.replace("BPR*I*80*C", "BPR*I*80*D"));
    const unit = await only(remittance835(...heading, "LX*1", "CLP*C1*1*80*80*0*12*ICN1"));
    expect(unit.events[0]).toMatchObject({ fields: { paidAmount: -8000, balanced: false, difference: -16000 } });
  });

  it("names the payer by N104, REF*2U, the profile's name of TRN03, TRN03", async () => {
    const payerOf = async (heading: readonly string[]) => {
      const [event] = (await only(remittance835(...heading, "LX*1", "CLP*C1*1*80*80"))).events;
      return event!.type === "RemittanceReceived" ? event!.fields.payerId : "";
    };
    const bare = heading835.map((segment) => segment.replace("*XV*PLAN1", ""));
    const at = bare.findIndex((segment) => segment.startsWith("N1*PE"));
    expect(await payerOf(heading835)).toBe("PLAN1");
    expect(await payerOf([...bare.slice(0, at), "REF*2U*P2", ...bare.slice(at)])).toBe("P2");
    expect(await payerOf(bare)).toBe("1999999999");
    expect(await payerOf(bare.map((segment) => segment.replace("1999999999", "1512345678")))).toBe("BSHP1");
  });

  it("does not take a dependent for the insured", async () => {
    const people = ["NM1*QC*1*DOE*TED****MI*M100", "NM1*IL*1*DOE*JANE****MI*M100"];
    const [, paid] = await unitsOf(remittance835(...heading835, "LX*1", "CLP*C1*1*80*80", ...people));
    expect(paid!.events[0]).toMatchObject({ fields: { patientId: null } });
    expect(paid!.sealFor).toEqual([surrogate("claim", NPI, "", "C1")]);
  });

  it("flags a payment date that is none and takes the production date", async () => {
    const heading = heading835.map((segment) => segment.replace("20260310", "20261310"));
    const unit = await only(remittance835(...heading, "DTM*405*20260311", "LX*1", "CLP*C1*1*80*80"));
    expect(unit.events[0]).toMatchObject({
      fields: { paidAt: Date.UTC(2026, 2, 11), flags: ["PAYMENT_DATE_INVALID"] },
    });
  });
});
