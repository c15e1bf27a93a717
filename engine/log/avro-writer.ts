import type avro from "avsc";
import type { Sink } from "./avro-sink.js";
import { DateType, DecimalType } from "./logical.js";

/**
 * Writes a record.
 * @param apart fields that are not in the value itself.
 * @throws Misfit when the value doesn't fit the schema.
 */
export type WriteRecord = (value: object, apart: object, sink: Sink) => void;

/**
 * Code for one record type, with the names of its fields written out: avsc's own writers come to the same bytes, and call
 * through several objects a field, make a buffer of each amount, and go twice over each text (docs/performance.md).
 * @param apart names of fields of the record itself that are given apart from it, so that they needn't be joined first.
 */
export function compileWriter(type: avro.Type, apart: readonly string[] = []): WriteRecord {
  const program = new Program();
  const root = program.record(type, apart);
  return program.run(root);
}

class Program {
  readonly #functions: string[] = [];
  readonly #names = new Map<avro.Type, string>();
  /** Values that the code refers to: symbols of enums, bytes of defaults. */
  readonly #constants: unknown[] = [];

  run(root: string): WriteRecord {
    const code = `"use strict";\n${this.#functions.join("\n")}\nreturn ${root};`;
    return new Function("constants", code)(this.#constants) as WriteRecord;
  }

  #constant(value: unknown): string {
    this.#constants.push(value);
    return `constants[${this.#constants.length - 1}]`;
  }

  /** @returns the name of the record's function. */
  record(type: avro.Type, apart: readonly string[]): string {
    const known = this.#names.get(type);
    if (known) return known;
    const name = `write${this.#names.size}`;
    this.#names.set(type, name);
    const declared: string[] = [];
    const body = (type as avro.types.RecordType).fields.map((field) => {
      const from = apart.includes(field.name) ? "apart" : "value";
      const text = `${from}[${JSON.stringify(field.name)}]`;
      const given = field.defaultValue();
      if (given === undefined) return `{ const v = ${text}; ${this.#write(field.type, "v", 0)} }`;
      const fallback = `c${declared.length}`;
      declared.push(`const ${name}_${fallback} = ${this.#constant(field.type.toBuffer(given))};`);
      return `{ const v = ${text}; if (v === undefined) sink.raw(${name}_${fallback}); else { ${this.#write(field.type, "v", 0)} } }`;
    });
    this.#functions.push(`${declared.join("\n")}\nfunction ${name}(value, apart, sink) {\n${body.join("\n")}\n}`);
    return name;
  }

  /** Statements that write the value of an expression. */
  #write(type: avro.Type, value: string, depth: number): string {
    if (type instanceof DecimalType) return `sink.decimal(${value}, ${type.bound});`;
    if (type instanceof DateType) return `sink.date(${value});`;
    switch (type.typeName) {
      case "boolean":
      case "int":
      case "long":
      case "string":
        return `sink.${type.typeName}(${value});`;
      case "bytes":
        return `sink.blob(${value});`;
      case "enum": {
        const { symbols } = type as avro.types.EnumType;
        return `sink.symbol(${value}, ${this.#constant(new Map(symbols.map((symbol, index) => [symbol, index])))});`;
      }
      case "record":
        return `${this.record(type, [])}(${value}, ${value}, sink);`;
      case "array": {
        const [index, items] = [`i${depth}`, (type as avro.types.ArrayType).itemsType];
        const each = this.#write(items, `${value}[${index}]`, depth + 1);
        return `sink.count(${value}); for (let ${index} = 0; ${index} < ${value}.length; ${index}++) { ${each} } sink.byte(0);`;
      }
      case "union:unwrapped":
        return this.#union((type as avro.types.UnwrappedUnionType).types as readonly avro.Type[], value, depth);
      default:
        throw new Error(`A ${type.typeName} has no place in the contracts.`);
    }
  }

  /** Something or nothing, in either order. */
  #union(types: readonly avro.Type[], value: string, depth: number): string {
    const none = types.findIndex(({ typeName }) => typeName === "null");
    const some = types[1 - none];
    if (types.length !== 2 || none < 0 || !some) throw new Error("Unions are of null and one type in the contracts.");
    const otherwise = `sink.byte(${2 * (1 - none)}); ${this.#write(some, value, depth)}`;
    return `if (${value} === null) sink.byte(${2 * none}); else { ${otherwise} }`;
  }
}
