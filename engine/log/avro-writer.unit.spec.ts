import avro from "avsc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Misfit, Sink } from "./avro-sink.js";
import { compileType } from "./avro-type.js";
import { compileWriter } from "./avro-writer.js";
import { DateType, DecimalType } from "./logical.js";
import { rootRecords } from "./schemas.js";

const records = [...rootRecords().values()].map(({ fullName, schema }) => ({ fullName, type: compileType(schema) }));
const fieldsOf = (type: avro.Type) => (type as avro.types.RecordType).fields;

/** avsc reads whole numbers right up to here. */
const mostLong = 2 ** 52 - 1;
const texts = fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: "grapheme", maxLength: 80 }));

/** Values of a type, as they are in memory. Members with a default are sometimes left out. */
function valuesOf(type: avro.Type): fc.Arbitrary<unknown> {
  if (type instanceof DecimalType) return fc.integer({ min: 1 - type.bound, max: type.bound - 1 });
  if (type instanceof DateType) return fc.integer({ min: -719_528, max: 2_932_896 }).map(dayOf);
  switch (type.typeName) {
    case "string":
      return texts;
    case "long":
      return fc.oneof(fc.integer({ min: -mostLong, max: mostLong }), fc.constantFrom(63, 64, -64, -65));
    case "int":
      return fc.integer();
    case "boolean":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    case "enum":
      return fc.constantFrom(...(type as avro.types.EnumType).symbols);
    case "array":
      return fc.array(valuesOf((type as avro.types.ArrayType).itemsType), { maxLength: 3 });
    case "record": {
      const members = fieldsOf(type).map((field) => [field.name, valuesOf(field.type)] as const);
      const needed = fieldsOf(type).filter((field) => field.defaultValue() === undefined);
      return fc.record(Object.fromEntries(members), { requiredKeys: needed.map(({ name }) => name) });
    }
    case "union:unwrapped":
      return fc.oneof(...((type as avro.types.UnwrappedUnionType).types as readonly avro.Type[]).map(valuesOf));
    default:
      return fc.constant(null);
  }
}

const dayOf = (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10);

function written(type: avro.Type, value: object, apart: readonly string[] = []): Buffer {
  // So little room that every kind of value has to make more.
  const sink = new Sink();
  const parts = Object.fromEntries(Object.entries(value).filter(([name]) => apart.includes(name)));
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !apart.includes(name)));
  compileWriter(type, apart)(rest, parts, sink);
  return sink.bytes.subarray(0, sink.at);
}

describe("our writers of records", () => {
  it("write every record of the contracts as avsc does", () => {
    for (const { fullName, type } of records) {
      fc.assert(
        fc.property(valuesOf(type) as fc.Arbitrary<object>, (value) => {
          const expected = type.toBuffer(value).toString("hex");
          expect({ fullName, bytes: written(type, value).toString("hex") }).toEqual({ fullName, bytes: expected });
          expect(written(type, value, ["meta", "sealed"]).toString("hex")).toBe(expected);
        }),
        { numRuns: 20 },
      );
    }
  });

  it("refuse what avsc refuses, in each field of every record", () => {
    const wrongs = [undefined, null, 0.5, "", "2024-02-30", true, {}, [{}], new Uint8Array(1), 2 ** 53, 10 ** 14];
    for (const { fullName, type } of records) {
      const [good] = fc.sample(valuesOf(type) as fc.Arbitrary<object>, { numRuns: 1, seed: 1 });
      for (const { name } of fieldsOf(type)) {
        for (const wrong of wrongs) {
          const value = { ...good, [name]: wrong };
          let fits = true;
          try {
            written(type, value);
          } catch {
            fits = false;
          }
          expect({ fullName, name, wrong, fits }).toEqual({ fullName, name, wrong, fits: type.isValid(value) });
        }
      }
    }
  });

  it("write numbers to the last that is safe, and none beyond", () => {
    const type = avro.Type.forSchema({ type: "record", name: "Whole", fields: [{ name: "value", type: "long" }] });
    // Zigzag of 2^53 - 1 and of its negative, seven bits a byte.
    expect(written(type, { value: Number.MAX_SAFE_INTEGER }).toString("hex")).toBe("feffffffffffff1f");
    expect(written(type, { value: -Number.MAX_SAFE_INTEGER }).toString("hex")).toBe("fdffffffffffff1f");
    expect(() => written(type, { value: 2 ** 53 })).toThrow(Misfit);
  });
});
