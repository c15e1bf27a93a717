import { toBase64 } from "./bytes.js";

/** Avro to canonical JSON, with nothing but the schema: what a verifier needs to show what the bytes say. */

type Schema = string | readonly Schema[] | Readonly<Record<string, unknown>>;

class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error("the record is cut off");
    return byte;
  }

  long(): bigint {
    let raw = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(this.byte());
      raw |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return (raw >> 1n) ^ -(raw & 1n);
    }
  }

  take(length: number): Uint8Array {
    if (length < 0 || this.at + length > this.bytes.length) throw new Error("the record is cut off");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function decimal(bytes: Uint8Array, scale: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  if (bytes.length > 0 && (bytes[0] as number) >= 0x80) value -= 1n << BigInt(8 * bytes.length);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${value < 0n ? "-" : ""}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ""}`;
}

const dayMilliseconds = 86_400_000;

/** Integers that JSON readers keep exactly are numbers, larger ones text. */
const integer = (value: bigint): number | string =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();

function scalar(reader: Reader, type: string, logical: unknown, scale: number): unknown {
  switch (type) {
    case "null":
      return null;
    case "boolean":
      return reader.byte() === 1;
    case "int":
    case "long": {
      const value = reader.long();
      if (logical === "date") return new Date(Number(value) * dayMilliseconds).toISOString().slice(0, 10);
      if (logical === "timestamp-millis") return new Date(Number(value)).toISOString();
      return integer(value);
    }
    case "float":
    case "double": {
      const bytes = reader.take(type === "float" ? 4 : 8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      return type === "float" ? view.getFloat32(0, true) : view.getFloat64(0, true);
    }
    case "string":
      return new TextDecoder("utf-8", { fatal: true }).decode(reader.take(Number(reader.long())));
    case "bytes": {
      const bytes = reader.take(Number(reader.long()));
      return logical === "decimal" ? decimal(bytes, scale) : toBase64(bytes);
    }
    default:
      throw new Error(`a type that is not known: ${type}`);
  }
}

function* items(reader: Reader): Generator<void> {
  for (;;) {
    let count = reader.long();
    if (count === 0n) return;
    if (count < 0n) {
      count = -count;
      reader.long();
    }
    for (; count > 0n; count -= 1n) yield;
  }
}

function read(reader: Reader, schema: Schema, names: Map<string, Schema>): unknown {
  if (typeof schema === "string") {
    const named = names.get(schema);
    return named === undefined ? scalar(reader, schema, undefined, 0) : read(reader, named, names);
  }
  if (Array.isArray(schema)) return read(reader, (schema as readonly Schema[])[Number(reader.long())] as Schema, names);
  const {
    type,
    name,
    namespace,
    fields,
    symbols,
    items: inner,
    size,
    logicalType,
    scale,
  } = schema as Record<string, unknown>;
  if (typeof name === "string") {
    names.set(name, schema);
    if (typeof namespace === "string") names.set(`${namespace}.${name}`, schema);
  }
  switch (type) {
    case "record": {
      const record: Record<string, unknown> = {};
      for (const field of fields as readonly { readonly name: string; readonly type: Schema }[]) {
        record[field.name] = read(reader, field.type, names);
      }
      return record;
    }
    case "enum":
      return (symbols as readonly string[])[Number(reader.long())];
    case "array": {
      const list: unknown[] = [];
      for (const _item of items(reader)) list.push(read(reader, inner as Schema, names));
      return list;
    }
    case "fixed":
      return toBase64(reader.take(Number(size)));
    default:
      if (typeof type === "object") return read(reader, type as Schema, names);
      return scalar(reader, String(type), logicalType, Number(scale ?? 0));
  }
}

/** JSON as RFC 8785 writes it: names sorted, no white space. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson((value as Record<string, unknown>)[name])}`).join(",")}}`;
}

/** Id of the schema in front of a record in Confluent's wire format. */
export const schemaIdIn = (value: Uint8Array): number =>
  value.length > 5 && value[0] === 0
    ? new DataView(value.buffer, value.byteOffset, value.length).getUint32(1)
    : Number.NaN;

/**
 * A record in Confluent's wire format: instants and dates as ISO 8601, decimals as text, bytes in base64.
 * @throws Error when the bytes don't fit the schema.
 */
export function decodeRecord(value: Uint8Array, schema: Schema): unknown {
  const reader = new Reader(value.subarray(5));
  const decoded = read(reader, schema, new Map());
  if (reader.at !== reader.bytes.length) throw new Error("something follows the record");
  return decoded;
}
