import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../service/root.js";
import {
  type AvroField,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  baseNameOf,
  fullNameOf,
  isNamed,
  isPrimitive,
  isUnion,
  namespaceOf,
} from "./avro.js";

/** Entities that have events and a topic of their own. */
export const entities = ["patient", "visit", "claim"] as const;
export type Entity = (typeof entities)[number];

/** Topic of the intake journal, without the installation's prefix. */
export const journalTopic = "health.intake.journal";
/** Topic of what operators decide about the engine's work, without the installation's prefix. */
export const auditTopic = "health.audit.events";
/** Topic of what was sent to partners, of which there may be as much as of events: nobody reads it to find a decision. */
export const deliveriesTopic = "health.audit.deliveries";
/** Full name of the journal's record. */
export const journalRecord = "health.intake.JournalEntry";
/** Full name of the record of deliveries. */
export const deliveriesRecord = "health.audit.DeliveriesRecorded";

/** Folder of the contracts. */
export const schemasFolder: string = join(repositoryRoot, "schemas");

/** Entity whose events a topic holds, by its name without the installation's prefix; undefined for any other topic. */
export const entityOfTopic = (topic: string): Entity | undefined =>
  entities.find((each) => eventsTopic(each) === topic);

/** Topic of an entity's events, without the installation's prefix. */
export function eventsTopic(entity: Entity): `health.${Entity}.events` {
  return `health.${entity}.events`;
}

/** Every topic of an installation, without its prefix. */
export const ownTopics: readonly string[] = [journalTopic, ...entities.map(eventsTopic), auditTopic, deliveriesTopic];

/** One `.avsc` file. */
export interface SchemaFile {
  /** Folder under `schemas/`. */
  readonly folder: string;
  readonly fullName: string;
  readonly schema: AvroNamed;
}

/** A record that is written to the log on its own, with a subject in the registry. */
export interface RootRecord {
  readonly fullName: string;
  /**
   * `event`: of an entity, has `meta`. `engine`: an event that only the engine makes. `sealed`: only ever encrypted inside
   * an event. `journal`: the journal's entry. `audit`: a record of the audit topic, has `meta` of its own kind.
   */
  readonly role: "event" | "engine" | "sealed" | "journal" | "audit";
  /** Topics in whose subjects it is registered, without the installation's prefix: as a rule one. */
  readonly topics: readonly string[];
  readonly folder: string;
  /** Full name of the record in the field `sealed`, for events that have one. */
  readonly sealedRecord: string | null;
  /** Self-contained: every named type is defined where it is first used. */
  readonly schema: AvroRecord;
}

/** Reads every `schemas/<folder>/<Name>.avsc`, in the order of folder and name. */
export function readSchemaFiles(root: string = schemasFolder): readonly SchemaFile[] {
  const files: SchemaFile[] = [];
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const name of readdirSync(join(root, entry.name)).sort()) {
      if (!name.endsWith(".avsc")) continue;
      const schema = JSON.parse(readFileSync(join(root, entry.name, name), "utf8")) as AvroNamed;
      const fullName = fullNameOf(schema.name, schema.namespace, "");
      if (fullName !== `health.${entry.name}.${name.slice(0, -".avsc".length)}`) {
        throw new Error(`schemas/${entry.name}/${name} defines ${fullName}: folder, file and record must agree.`);
      }
      files.push({ folder: entry.name, fullName, schema });
    }
  }
  return files.sort((left, right) => (left.folder < right.folder ? -1 : left.folder > right.folder ? 1 : 0));
}

/** A copy of `schema` in which every reference to a named type is replaced by its definition on first use. */
function selfContained(schema: AvroRecord, definitions: ReadonlyMap<string, AvroNamed>): AvroRecord {
  const defined = new Set<string>();
  const resolve = (part: AvroSchema, namespace: string): AvroSchema => {
    if (typeof part === "string") {
      if (isPrimitive(part)) return part;
      const name = fullNameOf(part, undefined, namespace);
      if (defined.has(name)) return name;
      const definition = definitions.get(name);
      if (!definition) throw new Error(`No schema file defines ${name}, which ${schema.name} refers to.`);
      return resolve(definition, namespaceOf(name));
    }
    if (isUnion(part)) return part.map((branch) => resolve(branch, namespace));
    if (isNamed(part)) {
      const name = fullNameOf(part.name, part.namespace, namespace);
      defined.add(name);
      const named = { ...part, name: baseNameOf(name), namespace: namespaceOf(name) };
      if (named.type === "enum") return named;
      const fields: AvroField[] = named.fields.map((field) => ({
        ...field,
        type: resolve(field.type, namespaceOf(name)),
      }));
      return { ...named, fields };
    }
    if (part.type === "array") return { ...part, items: resolve(part.items, namespace) };
    if (part.type === "map") return { ...part, values: resolve(part.values, namespace) };
    return part;
  };
  return resolve(schema, "") as AvroRecord;
}

function rootOf(file: SchemaFile, sealed: ReadonlySet<string>): Pick<RootRecord, "role" | "topics"> | undefined {
  const { folder, fullName, schema } = file;
  if (schema.type !== "record") return undefined;
  if (fullName === journalRecord) return { role: "journal", topics: [journalTopic] };
  const hasMeta = schema.fields.some((field) => field.name === "meta");
  if (folder === "audit") {
    const topic = fullName === deliveriesRecord ? deliveriesTopic : auditTopic;
    return hasMeta ? { role: "audit", topics: [topic] } : undefined;
  }
  const topics = entities.filter((each) => (schema.topics ?? [folder]).includes(each)).map(eventsTopic);
  if (topics.length === 0) return undefined;
  if (hasMeta) return { role: schema.madeBy === "engine" ? "engine" : "event", topics };
  return sealed.has(fullName) ? { role: "sealed", topics } : undefined;
}

function sealedRecordOf(schema: AvroNamed): string | null {
  if (schema.type !== "record") return null;
  return schema.fields.find((field) => field.name === "sealed")?.sealedRecord ?? null;
}

/** Every record that is written on its own: events, sealed records, the journal's entry, audit records; by full name. */
export function rootRecords(files: readonly SchemaFile[] = readSchemaFiles()): ReadonlyMap<string, RootRecord> {
  const definitions = new Map(files.map((file) => [file.fullName, file.schema]));
  const sealed = new Set(files.map((file) => sealedRecordOf(file.schema)).filter((name) => name !== null));
  const roots = new Map<string, RootRecord>();
  for (const file of files) {
    const root = rootOf(file, sealed);
    if (!root || file.schema.type !== "record") continue;
    roots.set(file.fullName, {
      ...root,
      fullName: file.fullName,
      folder: file.folder,
      sealedRecord: sealedRecordOf(file.schema),
      schema: selfContained(file.schema, definitions),
    });
  }
  for (const name of sealed) if (!roots.has(name)) throw new Error(`No schema file defines the sealed record ${name}.`);
  return roots;
}
