import { attributeName, type CloudEvent, type EnvelopeProblem, isJson, mediaTypeOf, readJson } from "./cloud-event.js";

/** What is wrong with bytes; never leaves the reading. */
class Broken extends Error {}

/** A place in Avro binary. */
class Cursor {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.#bytes.length;
  }

  /** A long within 53 bits, as a variable-length zigzag number. */
  long(): number {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) throw new Broken();
      this.at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
    throw new Broken();
  }

  bytes(): Buffer {
    const length = this.long();
    if (length < 0 || length > this.#bytes.length - this.at) throw new Broken();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new Broken();
    this.at += 1;
    return byte;
  }
}

/** An attribute: null, boolean, int, string or bytes, by the index of the union. */
function attribute(cursor: Cursor): string | null {
  switch (cursor.long()) {
    case 0:
      return null;
    case 1:
      return cursor.byte() === 0 ? "false" : "true";
    case 2:
      return String(cursor.long());
    case 3:
      return cursor.bytes().toString("utf8");
    case 4:
      return cursor.bytes().toString("base64");
    default:
      throw new Broken();
  }
}

function attributesOf(cursor: Cursor): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (let count = cursor.long(); count !== 0; count = cursor.long()) {
    if (count < 0) cursor.long();
    for (let left = Math.abs(count); left > 0; left -= 1) {
      const name = cursor.bytes().toString("utf8");
      const value = attribute(cursor);
      if (!attributeName.test(name)) throw new Broken();
      if (value !== null) attributes[name] = value;
    }
  }
  return attributes;
}

/**
 * A structured CloudEvent in the Avro format 1.0: a map of attributes and a union of data. Read by hand, since its schema
 * is fixed and its counts are a stranger's. Data is bytes or text; the format's own picture of JSON is not taken.
 */
export function fromAvro(bytes: Buffer): CloudEvent | EnvelopeProblem {
  const cursor = new Cursor(bytes);
  try {
    const attributes = attributesOf(cursor);
    const kind = cursor.long();
    if (kind === 1 && cursor.isAtEnd) return { attributes, data: null };
    if (kind !== 0 && kind !== 6) return { code: "DATA_FORMAT", place: "data" };
    const data = cursor.bytes();
    if (!cursor.isAtEnd) return { code: "UNREADABLE", place: "body" };
    if (!isJson(mediaTypeOf(attributes.datacontenttype ?? "application/json")))
      return { attributes, data: { bytes: data } };
    const json = readJson(data);
    return json ? { attributes, data: { json: json.value } } : { code: "UNREADABLE", place: "data" };
  } catch (error) {
    if (error instanceof Broken) return { code: "UNREADABLE", place: "body" };
    throw error;
  }
}
