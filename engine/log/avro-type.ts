import avro from "avsc";
import type { AvroRecord } from "./avro.js";
import { DateType, DecimalType } from "./logical.js";
import { sharedStringType } from "./shared-strings.js";

/** What we use of avsc's reading position. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  /** Where the value ends at most, when it lies between others. */
  readonly end?: number;
  readLong(): number;
  skipLong(): void;
}

interface ReadableType {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

/**
 * Size of the next block of an array or map.
 * Every item takes at least one byte, so a larger count is a lie: refused before anything is allocated for it.
 */
function blockSize(tap: Tap): number {
  const count = tap.readLong();
  if (count === 0) return 0;
  if (count < 0) tap.skipLong();
  const size = Math.abs(count);
  if (!(size <= (tap.end ?? tap.buf.length) - tap.pos)) throw new Error("A block count beyond the end of the bytes.");
  return size;
}

/** An array that hostile bytes can't make large or endless. */
class BoundedArrayType extends avro.types.ArrayType {
  // On a resolver `this` is the resolver, which has the field `itemsType` too.
  _read(this: { readonly itemsType: unknown }, tap: Tap): unknown[] {
    const items = this.itemsType as ReadableType;
    const values: unknown[] = [];
    for (let size = blockSize(tap); size > 0; size = blockSize(tap)) {
      for (let index = 0; index < size; index++) values.push(items._read(tap));
    }
    return values;
  }

  _skip(tap: Tap): void {
    const items = this.itemsType as unknown as ReadableType;
    for (let size = blockSize(tap); size > 0; size = blockSize(tap)) {
      for (let index = 0; index < size; index++) items._skip(tap);
    }
  }
}

function ourTypes(schema: avro.Schema, options: avro.ForSchemaOptions): avro.Type | undefined {
  if (schema === "string") return sharedStringType();
  if (typeof schema !== "object" || Array.isArray(schema) || !("type" in schema)) return undefined;
  if (schema.type === "array") return new BoundedArrayType(schema as avro.schema.ArrayType, options);
  if (schema.type === "map") throw new Error("Maps have no place in the contracts: use an array of records.");
  return undefined;
}

/**
 * Compiles a self-contained schema to an avsc type: decimals are integers, dates strings, unions unwrapped, arrays
 * bounded by the bytes that are there, frequent strings shared.
 */
export function compileType(schema: AvroRecord): avro.Type {
  return avro.Type.forSchema(schema as unknown as avro.Schema, {
    assertLogicalTypes: true,
    logicalTypes: { decimal: DecimalType, date: DateType },
    omitRecordMethods: true,
    typeHook: ourTypes,
    wrapUnions: "never",
  });
}
