/** Avro schemas as JSON, as far as the contracts in `schemas/` use them (Avro specification 1.12). */

export type AvroPrimitive = "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string";

interface AvroLogical {
  readonly type: AvroPrimitive;
  readonly logicalType?: string;
  readonly precision?: number;
  readonly scale?: number;
}

export interface AvroEnum {
  readonly type: "enum";
  readonly name: string;
  readonly namespace?: string;
  readonly doc?: string;
  readonly symbols: readonly string[];
  readonly default?: string;
}

export interface AvroField {
  readonly name: string;
  readonly doc?: string;
  readonly type: AvroSchema;
  readonly default?: unknown;
  /** Ours: full name of the record that this bytes field holds, encrypted. */
  readonly sealedRecord?: string;
}

export interface AvroRecord {
  readonly type: "record";
  readonly name: string;
  readonly namespace?: string;
  /** Entities in whose topics it is written, where these are more than the folder's one; ours, for the registry and the catalog. */
  readonly topics?: readonly string[];
  /** `engine` for an event that no translation makes and no partner can send; ours, like `topics`. */
  readonly madeBy?: "engine";
  readonly doc?: string;
  readonly fields: readonly AvroField[];
}

interface AvroArray {
  readonly type: "array";
  readonly items: AvroSchema;
}

interface AvroMap {
  readonly type: "map";
  readonly values: AvroSchema;
}

export type AvroNamed = AvroRecord | AvroEnum;

/** A string is a primitive or the full name of a record or enum. */
export type AvroSchema = string | AvroNamed | AvroArray | AvroMap | AvroLogical | readonly AvroSchema[];

const primitives: ReadonlySet<string> = new Set([
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
] satisfies AvroPrimitive[]);

export function isPrimitive(name: string): name is AvroPrimitive {
  return primitives.has(name);
}

export function isUnion(schema: AvroSchema): schema is readonly AvroSchema[] {
  return Array.isArray(schema);
}

export function isNamed(schema: AvroSchema): schema is AvroNamed {
  return typeof schema === "object" && !isUnion(schema) && (schema.type === "record" || schema.type === "enum");
}

/** Name of a reference or definition with its namespace; `enclosing` is the namespace around it. */
export function fullNameOf(name: string, namespace: string | undefined, enclosing: string): string {
  if (name.includes(".")) return name;
  const space = namespace ?? enclosing;
  return space === "" ? name : `${space}.${name}`;
}

export function namespaceOf(fullName: string): string {
  return fullName.slice(0, Math.max(0, fullName.lastIndexOf(".")));
}

export function baseNameOf(fullName: string): string {
  return fullName.slice(fullName.lastIndexOf(".") + 1);
}
