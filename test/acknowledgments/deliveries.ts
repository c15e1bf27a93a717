/** A unit of a delivery, known again by its mark, wherever its bytes are found. */
export interface MarkedUnit {
  readonly mark: string;
  readonly accepted: boolean;
}

/** What a partner sends in one go. */
export interface Delivery {
  readonly bytes: Buffer;
  readonly units: readonly MarkedUnit[];
}

/** How a connector's partner makes its deliveries: number `number`, the same again, or other bytes under its control ids. */
export interface Sketch {
  readonly number: number;
  /** `A`, or `B` for the other bytes. */
  readonly version: "A" | "B";
  /** Whether it is one that must be rejected. */
  readonly broken: boolean;
}

const letters = { hl7v2: "H", x12: "X", fhir: "F", csv: "C", cloudevents: "E" } as const;
export type Connector = keyof typeof letters;
export const connectors = Object.keys(letters) as Connector[];

/** Marks found in bytes of a unit. */
export const marksIn = (bytes: Buffer): string[] => bytes.toString("latin1").match(/MARK[HXFCE]\d+V[AB]U\d+E/g) ?? [];

/** The connector that a mark belongs to. */
export const connectorOf = (mark: string): Connector =>
  connectors.find((name) => letters[name] === mark[4]) as Connector;

const unitsOf = (connector: Connector, count: number, { number, version, broken }: Sketch): MarkedUnit[] =>
  Array.from({ length: count }, (_, unit) => ({
    mark: `MARK${letters[connector]}${number}V${version}U${unit}E`,
    accepted: !broken,
  }));

const twoDigits = (value: number) => String(value).padStart(2, "0");
const dayOf = (number: number) => `2026${twoDigits(1 + (number % 12))}${twoDigits(1 + (number % 28))}`;

function hl7v2(sketch: Sketch): Delivery {
  const units = unitsOf("hl7v2", 1, sketch);
  const { number, broken } = sketch;
  const identifier = broken ? "" : `N${number}^^^ACKS^MR`;
  const time = `${dayOf(number)}030405`;
  const segments = [
    `MSH|^~\\&|ADT|ACKS|HUB|ENGINE|${time}||ADT^A01|C${number}|P|2.5.1`,
    `EVN|A01|${time}`,
    `PID|1||${identifier}||Doe^Jane||19800229|F|||${units[0]?.mark}^^Boston^MA^02101^US`,
    `PV1|1|I|ICU^1^A^ACKS||||||||||||||||V${number}^^^ACKS^VN`,
  ];
  return { bytes: Buffer.from(`${segments.join("\r")}\r`), units };
}

function x12(sketch: Sketch): Delivery {
  const { number, broken } = sketch;
  const units = unitsOf("x12", 1 + (number % 3), sketch);
  const control = String(number).padStart(9, "0");
  const claims = units.flatMap(({ mark }, index) => [
    `CLM*C${number}-${index}*${broken ? "ABC" : "100.5"}***11:B:1*Y*A*Y*Y`,
    `REF*D9*${mark}`,
    "HI*ABK:J0190",
    "LX*1",
    "SV1*HC:99213*100.5*UN*1***1",
    "DTP*472*D8*20260215",
  ]);
  const set = [
    "ST*837*0001*005010X222A1",
    `BHT*0019*00*B${number}*${dayOf(number)}*1430*CH`,
    "NM1*41*2*SUBMITTER*****46*S1",
    "NM1*40*2*RECEIVER*****46*R1",
    "HL*1**20*1",
    "NM1*85*2*CLINIC*****XX*1234567893",
    "N3*1 MAIN ST",
    "N4*BOSTON*MA*02101",
    "REF*EI*999888777",
    "HL*2*1*22*0",
    "SBR*P*18*GROUP******CI",
    `NM1*IL*1*DOE*JANE****MI*M${number}`,
    "DMG*D8*19800102*F",
    "NM1*PR*2*PLAN*****PI*PLAN1",
    ...claims,
  ];
  const segments = [
    `ISA*00*          *00*          *ZZ*ACKS           *ZZ*RECEIVER       *260301*1200*^*00501*${control}*0*P*:`,
    `GS*HC*ACKS*RECEIVER*20260301*1200*${number}*X*005010X222A1`,
    ...set,
    `SE*${set.length + 1}*0001`,
    `GE*1*${number}`,
    `IEA*1*${control}`,
  ];
  return { bytes: Buffer.from(segments.map((segment) => `${segment}~\n`).join("")), units };
}

const patientsOf = (units: readonly MarkedUnit[], { number, broken }: Sketch) =>
  units.map(({ mark }, index) => ({
    resourceType: "Patient",
    id: `p-${number}-${index}`,
    meta: { versionId: "1" },
    identifier: [{ system: "https://acks.example/mrn", value: `F${number}-${index}` }],
    name: [{ family: "Brunswick" }],
    gender: broken ? "femmale" : "female",
    address: [{ line: [mark], city: "Duluth" }],
  }));

function fhir(sketch: Sketch): Delivery {
  const units = unitsOf("fhir", 1 + (sketch.number % 3), sketch);
  const entry = patientsOf(units, sketch).map((resource) => ({
    request: { method: "POST", url: "Patient" },
    resource,
  }));
  return { bytes: Buffer.from(JSON.stringify({ resourceType: "Bundle", type: "batch", entry })), units };
}

/** The same patients as a bulk file has them. */
export function fhirLines(sketch: Sketch): Delivery {
  const units = unitsOf("fhir", 1 + (sketch.number % 3), sketch);
  const lines = patientsOf(units, sketch).map((resource) => `${JSON.stringify(resource)}\n`);
  return { bytes: Buffer.from(lines.join("")), units };
}

function csv(sketch: Sketch): Delivery {
  const { number, broken } = sketch;
  const units = unitsOf("csv", 1 + (number % 4), sketch);
  const rows = units.map(
    ({ mark }, index) => `C${number}-${index},Berg,${mark},1990-02-${broken ? "30" : "03"},M,02139`,
  );
  const head = "patient_id,family_name,given_names,birth_date,sex,postal_code";
  return { bytes: Buffer.from(`${[head, ...rows].join("\n")}\n`), units };
}

function cloudevents(sketch: Sketch): Delivery {
  const { number, broken } = sketch;
  const units = unitsOf("cloudevents", 1 + (number % 3), sketch);
  const events = units.map(({ mark }, index) => ({
    specversion: "1.0",
    id: `e-${number}-${index}`,
    source: "https://acks.example/registry",
    type: "health.patient.PatientRegistered",
    time: "2026-03-01T09:30:00Z",
    datacontenttype: "application/json",
    data: {
      identifiers: [{ authority: "ACKS", type: "MR", ...(broken ? {} : { value: `E${number}-${index}` }) }],
      sex: "F",
      birthYear: 1984,
      details: { familyName: "Okafor", address: mark },
    },
  }));
  return { bytes: Buffer.from(JSON.stringify(events)), units };
}

/** A delivery of each connector's partner. Every unit of it is accepted, or every one rejected. */
export const makeDelivery: Readonly<Record<Connector, (sketch: Sketch) => Delivery>> = {
  hl7v2,
  x12,
  fhir,
  csv,
  cloudevents,
};

/** Whether other bytes under a control id make a fact that is flagged: a patient's row of a table has no control id. */
export const flagsReusedIds = (connector: Connector): boolean => connector !== "csv";
/** How each connector tells a resend: by this content at any time, or by that of the resource before it. */
export const resendRule: Readonly<Record<Connector, "EVERY" | "LATEST">> = {
  hl7v2: "EVERY",
  x12: "EVERY",
  fhir: "LATEST",
  csv: "LATEST",
  cloudevents: "EVERY",
};
