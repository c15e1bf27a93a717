import { type AvroRecord, type AvroSchema, isNamed, isPrimitive, isUnion } from "../../engine/log/avro.js";

/** Data that follows its form. */
export type Data = { readonly [name: string]: unknown };

/** Why data does not follow its form. `place` names fields, never values. */
export interface FormProblem {
  readonly code: "FIELD_UNKNOWN" | "FIELD_MISSING" | "FIELD_INVALID";
  readonly place: string;
}

class Mismatch extends Error {
  readonly problem: FormProblem;

  constructor(code: FormProblem["code"], place: string) {
    super(code);
    this.problem = { code, place };
  }
}

const integerBounds: Readonly<Record<string, number>> = { int: 2 ** 31, long: Number.MAX_SAFE_INTEGER };
/** Longest text taken. */
const longestText = 10_000;

/** Checks data against its form: every field known, none missing, defaults filled in. */
export function readForm(schema: AvroRecord, data: unknown): Data | FormProblem {
  try {
    return new Reader(schema).record(schema, data, "data");
  } catch (error) {
    if (error instanceof Mismatch) return error.problem;
    throw error;
  }
}

/** Follows a schema, in which a named type is defined where it is first used. */
class Reader {
  readonly #named = new Map<string, AvroSchema>();

  constructor(schema: AvroRecord) {
    this.#learn(schema);
  }

  #learn(schema: AvroSchema): void {
    if (typeof schema === "string") return;
    if (isUnion(schema)) for (const branch of schema) this.#learn(branch);
    else if (isNamed(schema)) {
      const full = schema.name.includes(".") ? schema.name : `${schema.namespace}.${schema.name}`;
      this.#named.set(full, schema);
      if (schema.type === "record") for (const { type } of schema.fields) this.#learn(type);
    } else if (schema.type === "array") this.#learn(schema.items);
  }

  record(schema: AvroRecord, value: unknown, place: string): Data {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Mismatch("FIELD_INVALID", place);
    const given = value as Readonly<Record<string, unknown>>;
    const read: Record<string, unknown> = {};
    for (const field of schema.fields) {
      const at = `${place}.${field.name}`;
      const said = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
      if (said !== undefined) read[field.name] = this.#value(field.type, said, at);
      else if ("default" in field) read[field.name] = field.default;
      else throw new Mismatch("FIELD_MISSING", at);
    }
    const names = new Set(schema.fields.map(({ name }) => name));
    const unknown = Object.keys(given).findIndex((name) => !names.has(name));
    // Its name may be anything, so only its ordinal is told.
    if (unknown >= 0) throw new Mismatch("FIELD_UNKNOWN", `${place} member ${unknown + 1}`);
    return read;
  }

  #value(schema: AvroSchema, value: unknown, place: string): unknown {
    if (isUnion(schema)) {
      if (value === null && schema.includes("null")) return null;
      return this.#value(schema.find((branch) => branch !== "null") ?? "null", value, place);
    }
    if (typeof schema === "string" && !isPrimitive(schema)) {
      return this.#value(this.#named.get(schema) ?? "null", value, place);
    }
    const type = typeof schema === "string" ? schema : schema.type;
    if (typeof schema === "object" && isNamed(schema)) {
      if (schema.type === "record") return this.record(schema, value, place);
      if (typeof value !== "string" || !schema.symbols.includes(value)) throw new Mismatch("FIELD_INVALID", place);
      return value;
    }
    if (typeof schema === "object" && schema.type === "array") {
      if (!Array.isArray(value)) throw new Mismatch("FIELD_INVALID", place);
      return value.map((item, index) => this.#value(schema.items, item, `${place}[${index}]`));
    }
    if (!isOf(type, value)) throw new Mismatch("FIELD_INVALID", place);
    return value;
  }
}

/** No text of ours holds a NUL or half a character. */
const unwritable = /\0|\p{Surrogate}/u;

function isOf(type: string, value: unknown): boolean {
  if (type === "string") return typeof value === "string" && value.length <= longestText && !unwritable.test(value);
  if (type === "boolean") return typeof value === "boolean";
  const bound = integerBounds[type];
  return bound !== undefined && Number.isInteger(value) && Math.abs(value as number) < bound;
}
