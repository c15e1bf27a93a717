import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** What a value is stretched to: longer than an index takes, beyond every calendar and sum, and what no text is. */
const stretched: readonly ((value: string) => string)[] = [
  () => "X".repeat(5_000),
  (value) => `${"9".repeat(14)}${value.includes(".") ? ".99" : ""}`,
  () => "-1",
  // "Never", as it is written, in a zone behind UTC or ahead of it.
  (value) => (value.includes("-") ? "9999-12-31T23:59:59-12:00" : "99991231235959-1200"),
  (value) => (value.includes("-") ? "0001-01-01T00:00:00+14:00" : "00010101000000+1400"),
  (value) => (value.includes("-") ? "9999-12-31" : "99991231"),
  (value) => (value.includes("-") ? "0000-01-01" : "00000101"),
  () => "\ud800",
];

/** A delivery with one value after the other stretched, in each way. */
export type Stretched = Generator<Buffer>;

/** Of texts whose values stand between separators. */
export function* stretchedText(text: string, separator: string, ends: RegExp, heads: RegExp): Stretched {
  const lines = text.split(ends);
  const end = text.match(ends)?.[0] ?? "";
  for (const [at, line] of lines.entries()) {
    if (heads.test(line)) continue;
    const values = line.split(separator);
    for (const [index, value] of values.entries()) {
      if (index === 0 || value === "") continue;
      for (const stretch of stretched) {
        const changed = values.with(index, stretch(value)).join(separator);
        yield Buffer.from(lines.with(at, changed).join(end), "utf8");
      }
    }
  }
}

/** Of JSON: every text and number in it. */
export function* stretchedJson(text: string): Stretched {
  const places: (readonly (string | number)[])[] = [];
  const walk = (value: unknown, place: readonly (string | number)[]): void => {
    if (typeof value === "string" || typeof value === "number") places.push(place);
    else if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, [...place, index]);
    else if (value) for (const [name, item] of Object.entries(value)) walk(item, [...place, name]);
  };
  walk(JSON.parse(text), []);
  for (const place of places) {
    for (const stretch of stretched) {
      const root = JSON.parse(text);
      const last = place.at(-1) as string | number;
      let holder = root;
      for (const name of place.slice(0, -1)) holder = holder[name];
      const given = holder[last];
      if (typeof given === "string") holder[last] = stretch(given);
      else if (stretch === stretched[1]) holder[last] = 1e15;
      else if (stretch === stretched[2]) holder[last] = -1;
      else continue;
      yield Buffer.from(JSON.stringify(root));
    }
  }
}

const sample = (path: string) => readFileSync(join(repositoryRoot, "producers", path), "utf8");

const visit = [
  "MSH|^~\\&|ADT|NORTH|HUB|ENGINE|20260301101500||ADT^A03|C1|P|2.5.1",
  "EVN|A03|20260301101500",
  "PID|1||N1^^^NORTH^MR~S1^^^USA^SS||Doe^Jane||19800229|F|||1 Main St^^Boston||555-0100||||||||||||||||20260301101500|Y",
  "PV1|1|I|ICU^1||||||||||||||||V1^^^NORTH^VN|||||||||||||||||||||||||20260228101500|20260301101500",
  "ZPD|1|x",
].join("\r");
const moved = [
  "MSH|^~\\&|ADT|NORTH|HUB|ENGINE|20260301101500||ADT^A43|C1|P|2.5.1",
  "PID|1||N1^^^NORTH^MR~S1^^^USA^SS||Doe^Jane",
  "MRG|N2^^^NORTH^MR~S1^^^USA^SS",
].join("\r");

const remittance = [
  "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260301*1200*^*00501*000000001*0*P*:",
  "GS*HP*SENDER*RECEIVER*20260301*1200*1*X*005010X221A1",
  "ST*835*0001",
  "BPR*I*80*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880*DA*98765*20260301",
  "TRN*1*TRC1*1512345678",
  "DTM*405*20260301",
  "N1*PR*PAYER*XV*PAYID",
  "N1*PE*PROVIDER*XX*1234567893",
  "LX*1",
  "CLP*C1*1*100*80*20*12*PCN77*11*1",
  "CAS*PR*2*20",
  "NM1*QC*1*DOE*JANE****MI*M100",
  "SVC*HC:99213*100*80**1",
  "DTM*472*20260201",
  "CAS*PR*2*20",
  "PLB*1234567893*20261231*WO:X*0",
  "SE*15*0001",
  "GE*1*1",
  "IEA*1*000000001",
  "",
].join("~");

const patient = { reference: "Patient/p1" };
const coded = (code: string) => ({ coding: [{ code }] });
const about = { status: "active", type: coded("professional"), use: "claim", patient, created: "2026-03-01" };
const insurance = [{ sequence: 1, focal: true, coverage: { reference: "Coverage/c1" } }];
const usd = (value: number) => ({ value, currency: "USD" });
const resources: readonly object[] = [
  {
    resourceType: "Encounter",
    id: "e1",
    meta: { versionId: "1", lastUpdated: "2026-03-01T10:00:00Z" },
    identifier: [{ type: coded("VN"), value: "V1" }],
    status: "finished",
    class: { code: "IMP" },
    subject: patient,
    location: [{ location: { identifier: { value: "ICU" } } }],
    period: { start: "2026-02-28T10:00:00-05:00", end: "2026-03-01T10:00:00-05:00" },
  },
  {
    ...about,
    ...{ resourceType: "Claim", id: "c1", identifier: [{ value: "C1" }], priority: coded("normal"), insurance },
    ...{ provider: { identifier: { value: "1234567893" } }, insurer: { display: "PLAN" }, total: usd(100) },
    diagnosis: [{ sequence: 1, diagnosisCodeableConcept: coded("J01.90") }],
    item: [
      {
        sequence: 1,
        productOrService: coded("99213"),
        servicedDate: "2026-02-01",
        quantity: { value: 1 },
        net: usd(100),
      },
    ],
  },
  {
    ...about,
    ...{ resourceType: "ExplanationOfBenefit", id: "x1", outcome: "complete", claim: { identifier: { value: "C1" } } },
    ...{ provider: { identifier: { value: "1234567893" } }, insurer: { display: "PLAN" } },
    insurance: [{ focal: true, coverage: { reference: "Coverage/c1" } }],
    payment: { amount: usd(80), date: "2026-03-01", identifier: { value: "TRC1" } },
    total: [{ category: coded("submitted"), amount: usd(100) }],
    item: [
      {
        ...{ sequence: 1, productOrService: coded("99213"), servicedDate: "2026-02-01" },
        adjudication: [
          { category: coded("submitted"), amount: usd(100) },
          { category: coded("benefit"), amount: usd(80) },
          { category: coded("deductible"), reason: coded("1"), amount: usd(20) },
        ],
      },
    ],
  },
  {
    ...{ resourceType: "PaymentReconciliation", id: "r1", status: "active", created: "2026-03-01" },
    ...{ paymentDate: "2026-03-01", paymentAmount: usd(80), paymentIdentifier: { value: "TRC1" } },
    paymentIssuer: { display: "PLAN" },
    detail: [{ type: coded("payment"), request: { identifier: { value: "C1" } }, amount: usd(80) }],
  },
];

/** Deliveries of each connector, stretched value by value. */
export const stretchedDeliveries: Readonly<Record<string, () => Stretched>> = {
  *hl7v2() {
    for (const text of [visit, moved]) yield* stretchedText(text, "|", /\r/, /^$/);
  },
  *x12() {
    for (const text of [sample("x12/samples/accepted-claim.x12").replace(/[\r\n]/g, ""), remittance])
      yield* stretchedText(text, "*", /~/, /^(ISA|GS|ST|SE|GE|IEA)\b|^$/);
  },
  *fhir() {
    yield* stretchedJson(sample("fhir/samples/accepted-patient.json"));
    for (const resource of resources) yield* stretchedJson(JSON.stringify(resource));
  },
  *csv() {
    // A comma before each value, so that the first is one too.
    for (const bytes of stretchedText(sample("csv/samples/accepted-patients.csv"), ",", /\r?\n/, /^patient_id/))
      yield bytes;
  },
  *cloudevents() {
    yield* stretchedJson(sample("cloudevents/samples/accepted-patient.json"));
    for (const event of JSON.parse(sample("cloudevents/samples/accepted-batch.json")))
      yield* stretchedJson(JSON.stringify(event));
  },
};
