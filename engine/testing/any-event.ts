import fc from "fast-check";
import { type EventType, eventCatalog } from "../../schemas/events.generated.js";
import { type AvroField, type AvroRecord, type AvroSchema, fullNameOf, isNamed, isUnion } from "../log/avro.js";
import { rootRecords } from "../log/schemas.js";

/** An event without its place: what a topic could hold of one type. */
export interface AnyEvent {
  readonly type: EventType;
  /** As the codec gives it, `sealed` null. */
  readonly event: object;
  /** Opened sealed content, null for an event that has none. */
  readonly sealed: object | null;
}

const roots = rootRecords();

/** Few, so that events meet the same entities again and again. */
export const entityIds: readonly string[] = [1, 2, 3].map((number) => `0000000${number}-0000-4000-8000-000000000000`);

/** The field that a value is for. */
type About = Pick<AvroField, "name" | "doc">;

/** Values that are meant where a field's own doc says so, text that is ordinary, and text that is not. */
function anyText({ name, doc = "" }: About): fc.Arbitrary<string> {
  if (/(Id|Key|ControlNumber)$|^subject$/.test(name) || /surrogate id|keyed hash/i.test(doc))
    return often(fc.constantFrom(...entityIds), strangeText);
  const words = doc.match(/[A-Za-z0-9_]+/g) ?? [];
  const day = fc.constantFrom("2026-01-31", "2026-02-30", "1980", "1980-02");
  return often(fc.oneof(fc.constantFrom("1", "7", "8", "22", "A", ...words), day), strangeText);
}

/** Any text that UTF-8 can carry, NUL included. */
const strangeText = fc.oneof(
  fc.constantFrom("", " ", "\0", '"', "\\", "é😀", "__proto__", "constructor"),
  fc.string({ unit: "binary", maxLength: 8 }),
);

const often = <T>(usual: fc.Arbitrary<T>, strange: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: strange, weight: 1 });

/** Largest amount of decimal(14,2) in cents. */
const mostCents = 99_999_999_999_999;
/** Largest long that the codec's library carries exactly. */
const mostLong = 2 ** 52 - 1;
const fourDigitYears = { min: Date.parse("0001-01-01T00:00:00Z"), max: Date.parse("9999-12-31T23:59:59Z") };

function anyNumber(type: string, logicalType: string | undefined): fc.Arbitrary<number> {
  if (logicalType === "decimal") {
    return often(fc.integer({ min: -500, max: 20_000 }), fc.integer({ min: -mostCents, max: mostCents }));
  }
  if (logicalType === "timestamp-millis") {
    // Few instants, so that ties happen; then any of four-digit years, then any the wire can carry.
    const few = fc.integer({ min: 0, max: 3 }).map((day) => Date.UTC(2026, 0, 1 + day));
    return often(often(few, fc.integer(fourDigitYears)), fc.integer({ min: -mostLong, max: mostLong }));
  }
  const most = type === "int" ? 2 ** 31 - 1 : mostLong;
  return often(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -most, max: most }));
}

const anyDay = fc
  .integer({ min: -719_162, max: 2_932_896 })
  .map((days) => new Date(days * 86_400_000).toISOString().slice(0, 10));

type Defined = Map<string, fc.Arbitrary<unknown>>;

function anyValue(schema: AvroSchema, about: About, namespace: string, defined: Defined): fc.Arbitrary<unknown> {
  if (typeof schema === "string") {
    const known = defined.get(fullNameOf(schema, undefined, namespace));
    return known ?? anyPrimitive(schema, undefined, about);
  }
  if (isUnion(schema)) return fc.oneof(...schema.map((branch) => anyValue(branch, about, namespace, defined)));
  if (isNamed(schema)) {
    const fullName = fullNameOf(schema.name, schema.namespace, namespace);
    const made = schema.type === "enum" ? fc.constantFrom(...schema.symbols) : anyRecord(schema, defined);
    defined.set(fullName, made);
    return made;
  }
  if (schema.type === "array" && "items" in schema)
    return fc.array(anyValue(schema.items, about, namespace, defined), { maxLength: 3 });
  if ("logicalType" in schema) return anyPrimitive(schema.type, schema.logicalType, about);
  return anyPrimitive(schema.type, undefined, about);
}

function anyPrimitive(type: string, logicalType: string | undefined, about: About): fc.Arbitrary<unknown> {
  if (logicalType === "date") return anyDay;
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "string":
      return anyText(about);
    case "bytes":
      return logicalType ? anyNumber(type, logicalType) : fc.constant(Buffer.alloc(0));
    case "float":
    case "double":
      return fc.double();
    default:
      return anyNumber(type, logicalType);
  }
}

function anyRecord(schema: AvroRecord, defined: Defined): fc.Arbitrary<object> {
  const value = (field: AvroField) => anyValue(field.type, field, schema.namespace ?? "", defined);
  // In the order of the fields: a later one may name a type that an earlier one defines.
  const fields = schema.fields.map((field) => [field.name, field.sealedRecord ? fc.constant(null) : value(field)]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { noNullPrototype: true });
}

function recordOf(fullName: string): AvroRecord {
  const root = roots.get(fullName);
  if (!root) throw new Error(`No schema file defines ${fullName}.`);
  return root.schema;
}

/**
 * Any event of a type that its schema allows, with any sealed content, made from the schemas alone: new types and fields
 * are covered as soon as they are there. Text is mostly what the fields' own docs speak of, instants mostly few.
 */
export function anyEvent(type: EventType): fc.Arbitrary<AnyEvent> {
  const { record, sealed } = eventCatalog[type];
  return fc.record(
    {
      type: fc.constant(type),
      event: anyRecord(recordOf(record), new Map()),
      sealed: sealed === null ? fc.constant(null) : fc.option(anyRecord(recordOf(sealed), new Map()), { freq: 9 }),
    },
    { noNullPrototype: true },
  );
}
