import {
  type AvroEnum,
  type AvroField,
  type AvroRecord,
  type AvroSchema,
  fullNameOf,
  isNamed,
  isPrimitive,
  isUnion,
  namespaceOf,
} from "./avro.js";
import { compileType } from "./avro-type.js";

/** A schema part with its own namespace, and the definitions it may refer to. */
interface Scope {
  readonly schema: AvroSchema;
  readonly namespace: string;
  readonly definitions: Map<string, Scope>;
}

/**
 * What stands against reading each of two versions with the other, for ever (FULL_TRANSITIVE is this for every pair).
 *
 * Stricter than Avro's resolution where that would lose facts silently: types must be equal (no promotion survives
 * both directions), logical types too (resolution ignores them), and an enum symbol never goes away (it would be read
 * as the default).
 * @param older a committed version, self-contained.
 * @param newer the version that would follow it, self-contained.
 * @returns one sentence a problem, each with the place; empty when compatible.
 */
export function evolutionProblems(older: AvroRecord, newer: AvroRecord): string[] {
  const problems: string[] = [];
  compare(scopeOf(older), scopeOf(newer), older.name, problems, new Set());
  return problems.length > 0 ? problems : resolverProblems(older, newer);
}

/** Whatever avsc refuses that the rules above let pass. Its messages name schemas only: no record is involved. */
function resolverProblems(older: AvroRecord, newer: AvroRecord): string[] {
  const problems: string[] = [];
  for (const [reader, writer, direction] of [
    [newer, older, "the new version can't read the old"],
    [older, newer, "the old version can't read the new"],
  ] as const) {
    try {
      compileType(reader).createResolver(compileType(writer));
    } catch (error) {
      problems.push(`${newer.name}: ${direction}: ${(error as Error).message}.`);
    }
  }
  return problems;
}

function scopeOf(schema: AvroRecord): Scope {
  const scope: Scope = { schema, namespace: "", definitions: new Map() };
  collect(scope);
  return scope;
}

function collect(scope: Scope): void {
  const { schema, namespace } = scope;
  if (typeof schema === "string") return;
  if (isUnion(schema)) for (const branch of schema) collect({ ...scope, schema: branch });
  else if (isNamed(schema)) {
    const name = fullNameOf(schema.name, schema.namespace, namespace);
    const own = { ...scope, namespace: namespaceOf(name) };
    scope.definitions.set(name, own);
    if (schema.type === "record") for (const field of schema.fields) collect({ ...own, schema: field.type });
  } else if (schema.type === "array" && "items" in schema) collect({ ...scope, schema: schema.items });
}

/** The definition that a reference or an inline definition stands for, in its own namespace. */
function resolved(scope: Scope): Scope {
  const { schema, namespace, definitions } = scope;
  if (typeof schema === "string") {
    return isPrimitive(schema) ? scope : (definitions.get(fullNameOf(schema, undefined, namespace)) ?? scope);
  }
  if (!isNamed(schema)) return scope;
  return definitions.get(fullNameOf(schema.name, schema.namespace, namespace)) ?? scope;
}

/** What makes two types the same kind: the branches of a union are matched by it. */
function kindOf(scope: Scope): string {
  const { schema, namespace } = resolved(scope);
  if (typeof schema === "string") return schema;
  if (isUnion(schema)) return "union";
  if (isNamed(schema)) return `${schema.type} ${fullNameOf(schema.name, schema.namespace, namespace)}`;
  if (!("logicalType" in schema) || !schema.logicalType) return schema.type;
  const size = schema.logicalType === "decimal" ? `(${schema.precision}, ${schema.scale ?? 0})` : "";
  return `${schema.type}/${schema.logicalType}${size}`;
}

function compare(older: Scope, newer: Scope, place: string, problems: string[], seen: Set<string>): void {
  const [from, to] = [kindOf(older), kindOf(newer)];
  if (from !== to) {
    problems.push(`${place}: the type changed from ${from} to ${to}.`);
    return;
  }
  const [left, right] = [resolved(older), resolved(newer)];
  if (typeof left.schema === "string" || typeof right.schema === "string") return;
  if (isUnion(left.schema) && isUnion(right.schema)) compareUnions(left, right, place, problems, seen);
  else if ("items" in left.schema && "items" in right.schema) {
    compare(
      { ...left, schema: left.schema.items },
      { ...right, schema: right.schema.items },
      `${place}[]`,
      problems,
      seen,
    );
  } else if ("symbols" in left.schema && "symbols" in right.schema) {
    compareEnums(left.schema, right.schema, place, problems);
  } else if ("fields" in left.schema && "fields" in right.schema && !seen.has(from)) {
    seen.add(from);
    compareFields(left, left.schema.fields, right, right.schema.fields, place, problems, seen);
  }
}

function compareUnions(older: Scope, newer: Scope, place: string, problems: string[], seen: Set<string>): void {
  const branches = (scope: Scope): Map<string, Scope> =>
    new Map(
      (scope.schema as readonly AvroSchema[]).map((schema) => [kindOf({ ...scope, schema }), { ...scope, schema }]),
    );
  const [left, right] = [branches(older), branches(newer)];
  for (const [kind, branch] of left) {
    const other = right.get(kind);
    if (other) compare(branch, other, place, problems, seen);
    else problems.push(`${place}: the union no longer has ${kind}.`);
  }
  for (const kind of right.keys()) {
    if (!left.has(kind)) problems.push(`${place}: the union now has ${kind}, which the old version can't read.`);
  }
}

function compareEnums(older: AvroEnum, newer: AvroEnum, place: string, problems: string[]): void {
  const gone = older.symbols.filter((symbol) => !newer.symbols.includes(symbol));
  for (const symbol of gone) problems.push(`${place}: the symbol ${symbol} is gone, but written records have it.`);
  const added = newer.symbols.filter((symbol) => !older.symbols.includes(symbol));
  if (added.length > 0 && older.default === undefined) {
    problems.push(
      `${place}: the symbols ${added.join(", ")} are new, and the old enum has no default to read them as.`,
    );
  }
  if (older.default !== undefined && newer.default === undefined) {
    problems.push(`${place}: the enum lost its default ${older.default}.`);
  }
}

function compareFields(
  older: Scope,
  olderFields: readonly AvroField[],
  newer: Scope,
  newerFields: readonly AvroField[],
  place: string,
  problems: string[],
  seen: Set<string>,
): void {
  const newerByName = new Map(newerFields.map((field) => [field.name, field]));
  for (const field of olderFields) {
    const other = newerByName.get(field.name);
    const at = `${place}.${field.name}`;
    if (!other) {
      if (!("default" in field)) problems.push(`${at}: the field is gone, and the old version has no default for it.`);
      continue;
    }
    if (field.sealedRecord !== other.sealedRecord) problems.push(`${at}: the sealed record changed.`);
    compare({ ...older, schema: field.type }, { ...newer, schema: other.type }, at, problems, seen);
  }
  const olderNames = new Set(olderFields.map((field) => field.name));
  for (const field of newerFields) {
    if (!olderNames.has(field.name) && !("default" in field)) {
      problems.push(`${place}.${field.name}: the field is new and has no default.`);
    }
  }
}
