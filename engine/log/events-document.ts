import {
  type AvroField,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  baseNameOf,
  isNamed,
  isPrimitive,
  isUnion,
} from "./avro.js";
import {
  auditTopic,
  deliveriesTopic,
  entities,
  eventsTopic,
  type RootRecord,
  readSchemaFiles,
  rootRecords,
  type SchemaFile,
} from "./schemas.js";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

const plainNames: Readonly<Record<string, string>> = {
  string: "text",
  int: "whole number",
  long: "whole number",
  boolean: "yes or no",
  bytes: "bytes",
  decimal: "money",
  date: "date",
  "timestamp-millis": "instant",
};

/** Heading of a named part, and the link to it. */
const linkTo = (fullName: string) => `[${baseNameOf(fullName)}](#${baseNameOf(fullName).toLowerCase()})`;

function typeName(schema: AvroSchema): string {
  if (typeof schema === "string") return isPrimitive(schema) ? (plainNames[schema] ?? schema) : linkTo(schema);
  if (isUnion(schema)) {
    const branches = schema.filter((branch) => branch !== "null").map(typeName);
    return schema.includes("null") ? `${branches.join(" or ")}, optional` : branches.join(" or ");
  }
  if (isNamed(schema)) return schema.type === "enum" ? `one of ${schema.symbols.join(", ")}` : linkTo(schema.name);
  if (schema.type === "array" && "items" in schema) return `list of ${typeName(schema.items)}`;
  const logical = "logicalType" in schema ? schema.logicalType : undefined;
  return plainNames[logical ?? ""] ?? plainNames[schema.type] ?? schema.type;
}

const row = ({ name, type, doc }: AvroField) => [`\`${name}\``, typeName(type), doc ?? ""];
const fieldsTable = (fields: readonly AvroField[]) => tableOf(["field", "type", "meaning"], fields.map(row));

/** What every event has is described once. */
const isShared = ({ name }: AvroField) => name === "meta" || name === "sealed";

interface Contract {
  readonly files: ReadonlyMap<string, SchemaFile>;
  readonly roots: ReadonlyMap<string, RootRecord>;
}

/** A record as its file has it, where other records are named and not spelled out. */
function recordOf({ files }: Contract, fullName: string): AvroRecord {
  return files.get(fullName)?.schema as AvroRecord;
}

function eventSection(contract: Contract, { fullName, sealedRecord }: RootRecord): string {
  const schema = recordOf(contract, fullName);
  const open = schema.fields.filter((field) => !isShared(field));
  const sealed =
    sealedRecord === null
      ? "Nothing is sealed: nothing in it identifies a person."
      : `Sealed, a \`${baseNameOf(sealedRecord)}\` record:\n\n${fieldsTable(recordOf(contract, sealedRecord).fields)}`;
  return `### ${schema.name}\n\n${schema.doc}\n\n${fieldsTable(open)}\n\n${sealed}`;
}

function auditSection({ fullName }: RootRecord, contract: Contract): string {
  const { name, doc, fields } = recordOf(contract, fullName);
  return `### ${name}\n\n${doc}\n\n${fieldsTable(fields)}`;
}

function partSection({ fullName, schema }: { readonly fullName: string; readonly schema: AvroNamed }): string {
  const content =
    schema.type === "enum" ? `One of ${schema.symbols.join(", ")}.` : fieldsTable((schema as AvroRecord).fields);
  return `### ${baseNameOf(fullName)}\n\n${schema.doc ?? ""}\n\n${content}`;
}

/** `docs/events.md`: every event type with its topic, key, fields and what of it is sealed. */
export function eventsDocument(): string {
  const files = readSchemaFiles();
  const contract = { files: new Map(files.map((file) => [file.fullName, file])), roots: rootRecords(files) };
  const events = [...contract.roots.values()].filter(({ role }) => role === "event" || role === "engine");
  const overview = events.map(({ schema, topics }) => [
    linkTo(schema.name),
    topics.map((topic) => `\`${topic}\``).join(", "),
    schema.doc ?? "",
  ]);
  const topics = entities.map((entity) => {
    const own = events.filter(({ folder }) => folder === entity);
    return `## ${eventsTopic(entity)}\n\nKey: surrogate id of the ${entity}.\n\n${own.map((event) => eventSection(contract, event)).join("\n\n")}`;
  });
  const several = events.filter(({ folder }) => folder === "common");
  const audits = [...contract.roots.values()].filter(({ role }) => role === "audit");
  const sectionsOf = (topic: string) =>
    audits
      .filter((audit) => audit.topics.includes(topic))
      .map((audit) => auditSection(audit, contract))
      .join("\n\n");
  const parts = files.filter(({ fullName, folder }) => folder !== "intake" && !contract.roots.has(fullName));
  return `<!-- Made by \`npm run docs\` from schemas/**/*.avsc; a test compares. -->
# Events

${tableOf(["event", "topic", "what happened"], overview)}

A record's key is the surrogate id of its entity: a keyed hash, which carries nothing personal. Its only header that decides anything is \`position\`, the place in the journal that it was made from: \`journal:partition:offset:index:recorded time\`. Records are Avro in Confluent's wire format, subjects named by topic and record, compatible in both directions with every version before. [asyncapi.yaml](../asyncapi.yaml) says the same for tools.

What identifies a person is only in \`sealed\`: a second record, encrypted under the data key of the subject or the patient. Everything else is in the clear and pseudonymous. Money is decimal(14,2), in memory integer cents; a date is YYYY-MM-DD; an instant is milliseconds since 1970 in UTC.

Every event has [\`meta\`](#eventmeta).

${topics.join("\n\n")}

## In several topics

Made by the engine alone, on the keys of the entities that they are about.

${several.map((event) => eventSection(contract, event)).join("\n\n")}

## ${auditTopic}

Key: what was decided about, a read model's name. What operators decide about single events: read before a read model is built, so that a rebuild comes to the same rows. No event of an entity, and of no person: no patient, visit or claim is told from it but by surrogate id.

${sectionsOf(auditTopic)}

## ${deliveriesTopic}

Key: the delivering consumer and the partition of the events, \`consumer topic/partition\`. What was sent to partners, batch by batch, before the database says so. Nothing in it identifies a person.

${sectionsOf(deliveriesTopic)}

## Parts

${parts.map(partSection).join("\n\n")}
`;
}
