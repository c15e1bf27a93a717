import { describe, expect, it } from "vitest";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { deskOf, take } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, type MadeSet, subscriber } from "./testing/interchange.js";

const { surrogate } = deskOf().intake;
const NPI = "1234567893";
const member = surrogate("patient", "PLAN1", "MI", "M100");

/** Units of an interchange as the payer PLAN1 sends it to CLEARING. */
async function unitsOf(sets: readonly MadeSet[], ta1 = ""): Promise<ReceivedUnit[]> {
  const desk = deskOf();
  let bytes = interchange(sets, { sender: "PLAN1", receiver: "CLEARING" });
  if (ta1 !== "") bytes = Buffer.from(bytes.toString("latin1").replace("~GS", `~${ta1}~GS`), "latin1");
  const { accepted, answer } = await take(bytes, desk);
  expect(accepted, answer.toString("latin1")).toBe(true);
  return desk.intake.units.filter((unit) => unit.entry === "UNIT");
}

const eventsOf = (units: readonly ReceivedUnit[]): EventDraft[] => units.flatMap(({ events }) => events);

const set = (st: string, functionalId: string, guide: string, ...body: readonly string[]): MadeSet => ({
  functionalId,
  guide,
  st,
  body,
});

const claimAcknowledgment = (...claims: readonly string[]) =>
  set(
    "277",
    "HN",
    "005010X214",
    "BHT*0085*08*A77*20260302*0900*TH",
    "HL*1**20*1",
    "NM1*PR*2*PLAN*****PI*PLAN1",
    "TRN*1*P77",
    "DTP*050*D8*20260301",
    "DTP*009*D8*20260302",
    "HL*2*1*21*1",
    "NM1*41*2*CLEARING*****46*CLEARING",
    "TRN*2*B77",
    "STC*A1:19:PR*20260302*WQ*200.5",
    "QTY*90*2",
    "AMT*YU*200.5",
    "HL*3*2*19*1",
    `NM1*85*2*CLINIC*****XX*${NPI}`,
    ...claims,
  );

const patient = (level: number, ...rest: readonly string[]) => [
  `HL*${level}*3*PT`,
  "NM1*QC*1*DOE*JANE****MI*M100",
  ...rest,
];

describe("a 277CA", () => {
  it("acknowledges the batch, and each claim under the key of its 837 and 835", async () => {
    const units = await unitsOf([
      claimAcknowledgment(
        ...patient(4, "TRN*2*C1", "STC*A2:20*20260302*WQ*100.5", "REF*1K*I1", "DTP*472*D8*20260215"),
        ...patient(5, "TRN*2*C2", "STC*A7:562:85*20260302*U*100", "SVC*HC:99213*100", "STC*A7:454*20260302*U"),
      ),
    ]);
    expect(units.map(({ format, events }) => [format, events.length])).toEqual([
      ["277CA", 1],
      ["277CA", 1],
      ["277CA", 1],
    ]);
    const [batch, accepted, rejected] = eventsOf(units);
    const batchId = surrogate("interchange", "CLEARING", "PLAN1", "BHT/B77");
    expect(batch).toMatchObject({
      type: "InterchangeAcknowledged",
      subject: batchId,
      fields: {
        form: "277CA",
        sender: "CLEARING",
        receiver: "PLAN1",
        control: "B77",
        verdict: "ACCEPTED",
        codes: ["A1"],
      },
    });
    expect(accepted).toMatchObject({
      type: "ClaimAcknowledged",
      subject: surrogate("claim", NPI, "", "C1"),
      time: Date.UTC(2026, 2, 2, 9),
      timePrecision: "MINUTE",
      sealFor: member,
      sealed: { patientControlNumber: "C1", payerControlNumber: "I1", memberId: "M100", patientName: "DOE, JANE" },
      fields: {
        patientId: member,
        payerId: "PLAN1",
        providerNpi: NPI,
        verdict: "ACCEPTED",
        batchId,
        payerControlNumberHash: surrogate("payer-control", NPI, "", "I1"),
        statuses: [{ level: "CLAIM", lineNumber: null, category: "A2", status: "20", action: "WQ", amount: 10_050 }],
      },
    });
    expect(rejected).toMatchObject({
      fields: {
        verdict: "REJECTED",
        statuses: [
          { level: "CLAIM", category: "A7", status: "562", entity: "85", effectiveDate: "2026-03-02" },
          { level: "LINE", lineNumber: 1, category: "A7", status: "454", amount: null },
        ],
      },
    });
  });

  it("says nothing of a claim whose number is a zero, the word for none", async () => {
    const zero = patient(4, "TRN*2*0", "STC*A1:19:PR*20260302*WQ*100.5");
    const units = await unitsOf([claimAcknowledgment(...zero)]);
    expect(eventsOf(units).map(({ type }) => type)).toEqual(["InterchangeAcknowledged"]);
    expect(units.at(-1)).toMatchObject({ flags: ["CLAIM_UNIDENTIFIED"] });
  });

  it("is refused without a day on which it was written: it would be older than all others", async () => {
    const { body, ...rest } = claimAcknowledgment(...patient(4, "TRN*2*C1", "STC*A1:19:PR*20260302*WQ*100.5"));
    const undated = body.map((one) => one.replace("A77*20260302", "A77*260302"));
    const { accepted, answer } = await take(interchange([{ ...rest, body: undated }]), deskOf());
    expect([accepted, answer.toString("latin1")]).toEqual([
      false,
      expect.stringContaining("IK3*BHT*2**8~IK4*4**8~IK5*R*5~"),
    ]);
  });

  it("names the batch that an 837 sent the other way has", async () => {
    const desk = deskOf();
    const claims = claims837(...heading837.map((one) => one.replace("*B1*", "*B77*")), ...subscriber, ...claim);
    await take(interchange([claims], { sender: "CLEARING", receiver: "PLAN1", acknowledge: true }), desk);
    expect(eventsOf(desk.intake.published)[0]).toMatchObject({
      fields: {
        transmission: {
          interchangeId: surrogate("interchange", "CLEARING", "PLAN1", "ISA/000000001"),
          groupId: surrogate("interchange", "CLEARING", "PLAN1", "HC/1"),
          batchId: surrogate("interchange", "CLEARING", "PLAN1", "BHT/B77"),
          interchangeControl: "000000001",
          groupControl: "1",
          setControl: "0001",
          batchReference: "B77",
          acknowledgmentRequested: true,
        },
      },
    });
  });

  it("seals each person's unit for that person, and names nobody elsewhere", async () => {
    const desk = deskOf();
    const body = claimAcknowledgment(
      ...patient(4, "TRN*2*C1", "STC*A2:20*20260302*WQ*100.5"),
      "HL*5*2*19*1",
      "NM1*85*2*OTHER*****XX*1999999984",
      "HL*6*5*PT",
      "NM1*QC*1*ROE*RICHARD****MI*M200",
      "TRN*2*C9",
      "STC*A2:20*20260302*WQ*1",
    );
    await take(interchange([body]), desk);
    const units = desk.intake.units.filter(({ format }) => format !== "X12 answer");
    expect(units.filter(({ sealFor }) => sealFor.length > 0).map(({ sealFor }) => sealFor)).toEqual([
      [member],
      [surrogate("patient", "PLAN1", "MI", "M200")],
    ]);
    for (const unit of units.filter(({ sealFor }) => sealFor.length === 0)) {
      expect(Buffer.from(unit.bytes).toString("latin1")).not.toMatch(/DOE|ROE|M100|M200/);
    }
    expect(eventsOf(desk.intake.published).at(-1)!.subject).toBe(surrogate("claim", "1999999984", "", "C9"));
  });
});

const statusAnswer = (...rest: readonly string[]) =>
  set(
    "277",
    "HN",
    "005010X212",
    "BHT*0010*08*X1*20260310*0810*DG",
    "HL*1**20*1",
    "NM1*PR*2*PLAN*****PI*PLAN1",
    "HL*2*1*21*1",
    "NM1*41*2*CLEARING*****46*CLEARING",
    "HL*3*2*19*1",
    `NM1*1P*2*CLINIC*****XX*${NPI}`,
    ...rest,
  );

describe("a 277 that answers a 276", () => {
  it("reports on the claim that REF*EJ names, with what is paid", async () => {
    const units = await unitsOf([
      statusAnswer(
        "HL*4*3*22*0",
        "NM1*IL*1*DOE*JANE****MI*M100",
        "TRN*2*ASKED1",
        "STC*F1:65*20260309**100.5*80",
        "REF*1K*I1",
        "REF*EJ*C1",
      ),
    ]);
    expect(eventsOf(units)).toMatchObject([
      {
        type: "ClaimStatusReported",
        subject: surrogate("claim", NPI, "", "C1"),
        fields: { chargeAmount: 10_050, paidAmount: 8_000, patientId: member, statuses: [{ category: "F1" }] },
      },
    ]);
  });

  it("keeps and flags what names no claim of ours", async () => {
    const units = await unitsOf([
      statusAnswer("HL*4*3*22*0", "NM1*IL*1*DOE*JANE****MI*M100", "TRN*2*ASKED1", "STC*A4:35*20260309"),
    ]);
    expect(eventsOf(units)).toEqual([]);
    expect(units.at(-1)).toMatchObject({ flags: ["CLAIM_UNIDENTIFIED"], sealFor: [member] });
  });
});

describe("acknowledgments received", () => {
  const acknowledgment = set(
    "999",
    "FA",
    "005010X231A1",
    "AK1*HC*0017*005010X222A1",
    "AK2*837*0001*005010X222A1",
    "IK3*N4*9*2010*8",
    "IK4*3*116*7*BADZIP",
    "IK4*1:2*19*6",
    "IK5*R*5*I5",
    "AK2*837*0002*005010X222A1",
    "IK5*A",
    "AK9*P*2*2*1",
  );

  it("tell of the group and its sets, places and codes without values", async () => {
    const [event] = eventsOf(await unitsOf([acknowledgment]));
    expect(event).toMatchObject({
      type: "InterchangeAcknowledged",
      subject: surrogate("interchange", "CLEARING", "PLAN1", "HC/17"),
      time: Date.UTC(2026, 2, 1, 12),
      fields: {
        form: "999",
        control: "0017",
        functionalId: "HC",
        verdict: "PARTIALLY_ACCEPTED",
        setsDeclared: 2,
        setsReceived: 2,
        setsAccepted: 1,
        sets: [
          {
            setControl: "0001",
            verdict: "REJECTED",
            codes: ["5", "I5"],
            errors: [
              {
                segment: "N4",
                position: 9,
                code: "8",
                elements: [
                  { at: 3, component: null, code: "7" },
                  { at: 1, component: 2, code: "6" },
                ],
              },
            ],
          },
          { setControl: "0002", verdict: "ACCEPTED", codes: [], errors: [] },
        ],
      },
    });
    expect(JSON.stringify(event)).not.toContain("BADZIP");
  });

  it("tell of an interchange by a TA1, which is a unit of its own and never answered", async () => {
    const ta1 = "TA1*000000905*260301*1200*R*021";
    const [first] = await unitsOf([acknowledgment], ta1);
    expect(first!.events).toMatchObject([
      {
        subject: surrogate("interchange", "CLEARING", "PLAN1", "ISA/000000905"),
        fields: { form: "TA1", verdict: "REJECTED", codes: ["021"] },
      },
    ]);
    const desk = deskOf();
    const alone = interchange([], { acknowledge: true }).toString("latin1").replace("~IEA", `~${ta1}~IEA`);
    const { accepted, answer } = await take(Buffer.from(alone, "latin1"), desk);
    expect({ accepted, answer: answer.toString() }).toEqual({ accepted: true, answer: "" });
  });
});

describe("members", () => {
  const enrolment = (...members: readonly string[]) =>
    set(
      "834",
      "BE",
      "005010X220A1",
      "BGN*00*E1*20260301*1200****2",
      "N1*P5*SPONSOR*FI*1",
      "N1*IN*PLAN*XV*PLAN1",
      ...members,
    );

  it("of an 834 are patients of the payer, each a unit sealed for itself", async () => {
    const units = await unitsOf([
      enrolment(
        "INS*Y*18*021*28*A***FT",
        "REF*0F*M100",
        "NM1*IL*1*DOE*JANE*Q***34*103229876",
        "PER*IP**HP*6175551212*EM*jane@example.org",
        "N3*1 MAIN ST*APT 2",
        "N4*BOSTON*MA*02101",
        "DMG*D8*19800102*F",
        "NM1*31*1",
        "N3*PO BOX 1",
        "HD*021**HLT",
        "DTP*348*D8*20260101",
        "INS*N*19*021*28*A***FT",
        "REF*0F*M100",
        "NM1*IL*1*DOE*TIM",
        "DMG*D8*20150304*M",
      ),
    ]);
    const dependent = surrogate("patient", "PLAN1", "MI-DEP", "M100|2015-03-04|TIM");
    expect(units.map(({ sealFor }) => sealFor)).toEqual([[], [member], [dependent]]);
    expect(eventsOf(units)).toMatchObject([
      {
        type: "PatientUpdated",
        subject: member,
        time: Date.UTC(2026, 2, 1, 12),
        fields: {
          facility: "PLAN1",
          identifiers: [{ identifierId: member, authority: "PLAN1", type: "MI" }],
          sex: "F",
          birthYear: 1980,
          deceased: null,
        },
        sealed: {
          identifierValues: ["M100"],
          familyName: "DOE",
          givenNames: ["JANE", "Q"],
          birthDate: "1980-01-02",
          address: "1 MAIN ST, APT 2, BOSTON, MA, 02101",
          telecom: ["6175551212", "jane@example.org"],
        },
      },
      { subject: dependent, fields: { birthYear: 2015 }, sealed: { givenNames: ["TIM"], identifierValues: ["M100"] } },
    ]);
  });

  const eligibility = (st: string, ...rest: readonly string[]) =>
    set(
      st,
      st === "271" ? "HB" : "HS",
      "005010X279A1",
      "BHT*0022*11*E1*20260301*1319",
      "HL*1**20*1",
      "NM1*PR*2*PLAN*****PI*PLAN1",
      "HL*2*1*21*1",
      `NM1*1P*2*CLINIC*****XX*${NPI}`,
      "HL*3*2*22*1",
      "NM1*IL*1*DOE*JANE****MI*M100",
      ...rest,
    );

  it("of a 271 are told as the payer holds them, a dependent beside its subscriber", async () => {
    const units = await unitsOf([
      eligibility("271", "HL*4*3*23*0", "TRN*2*T1*9", "NM1*03*1*DOE*TIM", "DMG*D8*20150304*M", "EB*1**30"),
    ]);
    const dependent = surrogate("patient", "PLAN1", "MI-DEP", "M100|2015-03-04|TIM");
    expect(units.at(-1)!.sealFor).toEqual([member, dependent]);
    expect(eventsOf(units).map(({ type, subject }) => [type, subject])).toEqual([
      ["PatientUpdated", member],
      ["PatientUpdated", dependent],
    ]);
  });

  it("of a 270, or of a 271 that refuses, are kept without a fact", async () => {
    const asked = await unitsOf([eligibility("270", "TRN*1*T1*9", "EQ*30")]);
    const refused = await unitsOf([eligibility("271", "TRN*2*T1*9", "AAA*N**72*C")]);
    expect(eventsOf([...asked, ...refused])).toEqual([]);
    expect(asked.at(-1)!.sealFor).toEqual([member]);
    expect(refused.at(-1)!.sealFor).toEqual([member]);
  });
});
