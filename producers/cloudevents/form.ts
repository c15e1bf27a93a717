import type { AvroField, AvroRecord, AvroSchema } from "../../engine/log/avro.js";
import { isNamed, isUnion } from "../../engine/log/avro.js";
import type { RootRecord } from "../../engine/log/schemas.js";

/** The data of an event as a partner sends it. */
export interface Form {
  /** The attribute `type`: full name of the event. */
  readonly type: string;
  /** Schema of the data, as JSON and as Avro alike. */
  readonly schema: AvroRecord;
}

/** What we make ourselves of the rest: ids, hashes, sums, and what an installation alone knows. */
const ours = new Set([
  "meta",
  "facility",
  "flags",
  "contentHash",
  "remittanceId",
  "payerControlNumberHash",
  "balanced",
  "difference",
  "providerAdjustmentAmount",
  "survivingPatientId",
  "retiredPatientId",
  "role",
  "identifierId",
  "strong",
  "identifierValues",
  "values",
  "transmission",
  "batchId",
]);

/** Of the names that end like an id's, those that partners know: the others name what we have made an id for. */
const known = new Set(["memberId", "payerId"]);

const isMadeId = (name: string) => /(?:Id|Hash)$/.test(name) && !known.has(name);

/** Whether something in the data would have to be named by an id of ours, which no partner can know or may choose. */
function namesMadeId(schema: AvroSchema): boolean {
  if (typeof schema === "string") return false;
  if (isUnion(schema)) return schema.some(namesMadeId);
  if (isNamed(schema)) {
    return schema.type === "record" && schema.fields.some(({ name, type }) => isMadeId(name) || namesMadeId(type));
  }
  return schema.type === "array" && namesMadeId(schema.items);
}

const nullable = (type: AvroSchema): AvroSchema => ["null", type];

const patientReference: AvroRecord = {
  type: "record",
  name: "PatientReference",
  namespace: "health.partner",
  doc: "A patient by an identifier.",
  fields: [
    { name: "authority", doc: "Who assigned the identifier.", type: "string" },
    { name: "type", doc: "Identifier type (HL7 table 0203).", type: "string" },
    { name: "value", doc: "The identifier.", type: "string" },
  ],
};

const visitReference: AvroRecord = {
  type: "record",
  name: "VisitReference",
  namespace: "health.partner",
  doc: "A visit by its number.",
  fields: [
    { name: "authority", doc: "Who assigned the number.", type: "string" },
    { name: "number", doc: "The visit number.", type: "string" },
  ],
};

/** Fields that stand in another form: ids become what they were made from, sealed content is given in the clear. */
function replaced(field: AvroField, sealed: AvroRecord | null): AvroField | null {
  switch (field.name) {
    case "patientId":
      return { name: "patient", doc: "The patient.", type: nullable(patientReference), default: null };
    case "visitId":
      return { name: "visit", doc: "The visit.", type: nullable(visitReference), default: null };
    case "providerNpi":
      return { name: "provider", doc: "Billing provider: its NPI, else its tax id.", type: "string" };
    case "payeeNpi":
      return { name: "payee", doc: "The payee: its NPI, else its tax id.", type: nullable("string"), default: null };
    case "sealed":
      return sealed && { name: "details", doc: "What identifies people; it is sealed on receipt.", type: sealed };
    default:
      return null;
  }
}

/** A schema with amounts, days and instants as text, and without what is ours. */
function plain(schema: AvroSchema, sealed: AvroRecord | null): AvroSchema {
  if (typeof schema === "string") return schema;
  if (isUnion(schema)) return schema.map((branch) => plain(branch, sealed));
  if (isNamed(schema)) return schema.type === "enum" ? schema : plainRecord(schema, sealed);
  if (schema.type === "array") return { ...schema, items: plain(schema.items, sealed) };
  if ("logicalType" in schema && schema.logicalType) return "string";
  return schema;
}

function plainRecord(record: AvroRecord, sealed: AvroRecord | null): AvroRecord {
  const fields: AvroField[] = [];
  for (const field of record.fields) {
    const other = replaced(field, sealed);
    if (other) fields.push(other);
    else if (!ours.has(field.name) && field.name !== "sealed")
      fields.push({ ...field, type: plain(field.type, sealed) });
  }
  if (record.name === "Identifier" || record.name === "VisitIdentifier")
    fields.push({ name: "value", doc: "The identifier.", type: "string" });
  return { ...record, fields };
}

/** The form of an event with one version of its schema, and one of what it keeps sealed. */
export function formOf(schema: AvroRecord, sealed: AvroRecord | null): AvroRecord {
  const details = sealed ? plainRecord(sealed, null) : null;
  const form = plainRecord(schema, details && details.fields.length > 0 ? details : null);
  return { ...form, namespace: `${form.namespace}.partner` };
}

/**
 * The forms of all events that partners may send, by the attribute `type`. Pure. Events about two entities at once (links,
 * moves, acknowledgments of transmissions) are not among them: they would have to name them by ids of ours.
 * @param records of `schemas/`, each self-contained.
 */
export function formsOf(records: ReadonlyMap<string, RootRecord>): ReadonlyMap<string, Form> {
  const forms = new Map<string, Form>();
  for (const [fullName, { role, schema, sealedRecord }] of records) {
    if (role !== "event") continue;
    const sealed = sealedRecord === null ? undefined : records.get(sealedRecord)?.schema;
    const form = formOf(schema, sealed ?? null);
    if (!namesMadeId(form)) forms.set(fullName, { type: fullName, schema: form });
  }
  return forms;
}
