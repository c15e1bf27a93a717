import type { MendedPartner } from "./connectors.js";

const segments = (lines: readonly string[]) => Buffer.from(`${lines.join("~\n")}~\n`, "latin1");

/** An interchange with one claim. */
const interchange = (control: string, claim: string, name: string, payer: string) =>
  segments([
    `ISA*00*          *00*          *ZZ*HARBOR         *ZZ*RECEIVER       *260301*1200*^*00501*${control}*0*P*:`,
    `GS*HC*HARBOR*RECEIVER*20260301*1200*1*X*005010X222A1`,
    "ST*837*0001*005010X222A1",
    "BHT*0019*00*B1*20260301*1430*CH",
    "NM1*41*2*SUBMITTER*****46*S1",
    "NM1*40*2*RECEIVER*****46*R1",
    "HL*1**20*1",
    "NM1*85*2*CLINIC*****XX*1234567893",
    "N3*1 MAIN ST",
    "N4*BOSTON*MA*02101",
    "REF*EI*999888777",
    "HL*2*1*22*0",
    "SBR*P*18*GROUP******CI",
    `NM1*IL*1*${name}*JANE****MI*M100`,
    "N3*2 MAIN ST",
    "N4*BOSTON*MA*02101",
    "DMG*D8*19800102*F",
    `NM1*PR*2*PLAN*****PI*${payer}`,
    `CLM*${claim}*100.5***11:B:1*Y*A*Y*Y`,
    "HI*ABK:J0190",
    "LX*1",
    "SV1*HC:99213*100.5*UN*1***1",
    "DTP*472*D8*20260215",
    "SE*22*0001",
    "GE*1*1",
    `IEA*1*${control}`,
  ]);

/** One that the connector could not write the end of. */
export const unfinished = interchange("000000904", "HB4", "DOE", "PLAN9");

/** A clearing house whose payers were not known by their other names, nor its character set. */
export const harbor: MendedPartner = {
  connector: "x12",
  partner: "harbor",
  wrong: { senders: ["HARBOR"] },
  right: { senders: ["HARBOR"], payers: { PLAN9: "BAYPLAN" }, characters: "latin-1" },
  code: "X12_IK4_6",
  sent: [
    [interchange("000000901", "HB1", "DOE", "PLAN9")],
    [interchange("000000902", "HB2", "DOE", "OTHER")],
    [interchange("000000903", "HB3", "MU\u00d1OZ", "PLAN9")],
  ],
};

const payments = (paid: string) => ({
  facility: "SHORE",
  rows: "payments",
  dates: ["YYYY-MM-DD"],
  columns: {
    claim: "claim",
    status: { value: "1" },
    charge: "charge",
    paid,
    patientShare: { value: "0" },
    paidOn: "day",
    trace: "trace",
    payer: { value: "SHORE" },
    provider: { value: "1234567893" },
    member: "member",
  },
});

/** An insurer of whose columns another was taken for the payment, and of whose dates one form was not known. */
export const shore: MendedPartner = {
  connector: "csv",
  partner: "shore",
  wrong: payments("charge"),
  right: { ...payments("paid"), dates: ["YYYY-MM-DD", "MM/DD/YYYY"] },
  code: "CSV_DATE",
  twice: true,
  sent: [
    [
      Buffer.from(
        [
          "claim,member,charge,paid,day,trace",
          "SH1,M1,100.00,80.00,2026-03-02,T1",
          "SH2,M2,50.00,50.00,2026-03-02,T1",
          "SH3,M3,70.00,10.50,03/02/2026,T1",
          "",
        ].join("\n"),
      ),
    ],
  ],
};

const event = (id: string, data: object, source = "https://cove.example/registry") => ({
  specversion: "1.0",
  id,
  source,
  type: "health.visit.VisitStarted",
  time: "2026-03-01T09:30:00Z",
  datacontenttype: "application/json",
  data: {
    patient: { authority: "COVE", type: "MR", value: "C-1" },
    authority: "COVE",
    admission: "ADMITTED",
    class: "I",
    startedAt: "2026-03-01T09:30:00Z",
    details: { visitNumber: id },
    ...data,
  },
});
const binary = ({ data, datacontenttype, ...attributes }: ReturnType<typeof event>) =>
  [
    ...[
      ...Object.entries(attributes).map(([name, value]) => `ce-${name}: ${value}`),
      `content-type: ${datacontenttype}`,
    ].sort(),
    "",
    JSON.stringify(data),
  ].join("\r\n");

const cove = { authorities: ["COVE"], providers: [], payers: [] };
/** A registry that was taken for another facility, and of whose sources one was not known. */
export const registry: MendedPartner = {
  connector: "cloudevents",
  partner: "cove",
  wrong: { ...cove, facility: "MAIN", sources: ["https://cove.example/registry"] },
  right: { ...cove, facility: "COVE", sources: ["https://cove.example/registry", "https://cove.example/ward"] },
  code: "CE_NOT_AUTHORIZED",
  sent: [
    [Buffer.from(JSON.stringify(event("c1", { location: "A" })))],
    [
      Buffer.from(JSON.stringify([event("c2", {}), event("c3", {}, "https://cove.example/ward")], undefined, 2)),
      "batch",
    ],
    [Buffer.from(binary(event("c4", { location: "B" }))), "binary"],
  ],
};
