import type { IncomingRecord } from "./log.js";

const noHeaders: Readonly<Record<string, string>> = {};

/** A record inside the bytes of its batch. Value and headers are cut out when they are asked for. */
class BatchRecord implements IncomingRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly #bytes: Buffer;
  /** Where the value lies; the end is -1 for none. */
  readonly #start: number;
  readonly #end: number;
  /** Where the headers begin; -1 for none. */
  readonly #headersAt: number;

  constructor(
    offset: number,
    timestamp: number,
    key: string,
    bytes: Buffer,
    start: number,
    end: number,
    headers: number,
  ) {
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#headersAt = headers;
  }

  get value(): Buffer | null {
    return this.#end < 0 ? null : this.#bytes.subarray(this.#start, this.#end);
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.#headersAt < 0) return noHeaders;
    const reader = new Reader(this.#bytes, this.#headersAt);
    const headers: Record<string, string> = {};
    // Of a header that stands several times the last counts.
    for (let count = reader.varint(); count > 0; count--) {
      const name = reader.text();
      const length = reader.varint();
      if (length >= 0) headers[name] = reader.textOf(length);
    }
    return headers;
  }
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A zigzag varint of at most 32 bits: lengths, counts and offset deltas. */
  varint(): number {
    let byte = this.#bytes[this.at++] as number;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let raw = byte & 0x7f;
    let shift = 7;
    do {
      byte = this.#bytes[this.at++] as number;
      raw |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80 && shift < 35);
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** A zigzag varint of up to 64 bits that a JavaScript number holds: time stamp deltas. */
  varlong(): number {
    let raw = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.at++] as number;
      raw += (byte & 0x7f) * scale;
      if (!(byte >= 0x80)) break;
      scale *= 128;
    }
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  text(): string {
    return this.textOf(this.varint());
  }

  textOf(length: number): string {
    const start = this.at;
    this.at += length;
    return this.#bytes.toString("utf8", start, this.at);
  }
}

/** Fields in front of a batch's records (Kafka protocol, record batch format 2), by their place. */
const place = {
  length: 8,
  magic: 16,
  attributes: 21,
  firstTimestamp: 27,
  maxTimestamp: 35,
  count: 57,
  records: 61,
} as const;

/** Bits of the attributes. */
const codecMask = 0x07;
const appendTime = 0x08;
/** Records of a transaction, which may have been aborted, and the markers that tell. */
const transactional = 0x30;

/** What a batch's codec makes of its bytes; undefined for a codec that nobody registered. */
type Decompress = (attributes: number, bytes: Buffer) => Promise<Buffer> | undefined;

/**
 * Decodes the record batches of a fetched partition. The last one may be cut off, as brokers do: it is left out.
 * @returns undefined when there is something in it that the library has to decode: an older format, records of
 *   transactions, or an unknown codec.
 */
export async function decodeBatches(bytes: Buffer, decompress: Decompress): Promise<IncomingRecord[] | undefined> {
  const records: IncomingRecord[] = [];
  for (let at = 0; at + place.records <= bytes.length; ) {
    const end = at + place.length + 4 + bytes.readInt32BE(at + place.length);
    if (bytes[at + place.magic] !== 2) return undefined;
    if (end > bytes.length) break;
    const attributes = bytes.readInt16BE(at + place.attributes);
    if ((attributes & transactional) !== 0) return undefined;
    const base = Number(bytes.readBigInt64BE(at));
    const stamped = (attributes & appendTime) !== 0;
    const time = Number(bytes.readBigInt64BE(at + (stamped ? place.maxTimestamp : place.firstTimestamp)));
    const count = bytes.readInt32BE(at + place.count);
    let [body, start, stop] = [bytes, at + place.records, end];
    if ((attributes & codecMask) !== 0) {
      const decompressed = decompress(attributes, bytes.subarray(start, end));
      if (!decompressed) return undefined;
      body = await decompressed;
      [start, stop] = [0, body.length];
    }
    decodeRecords(body, start, stop, count, { base, time, stamped }, records);
    at = end;
  }
  return records;
}

function decodeRecords(
  bytes: Buffer,
  start: number,
  end: number,
  count: number,
  { base, time, stamped }: { readonly base: number; readonly time: number; readonly stamped: boolean },
  into: IncomingRecord[],
): void {
  const reader = new Reader(bytes, start);
  for (let index = 0; index < count; index++) {
    const length = reader.varint();
    const next = reader.at + length;
    if (!(length > 0 && next <= end)) throw new Error("A record beyond the end of its batch.");
    // One byte of attributes, which no version uses.
    reader.at++;
    const delta = reader.varlong();
    const timestamp = stamped ? time : time + delta;
    const offset = base + reader.varint();
    const keyLength = reader.varint();
    const key = keyLength > 0 ? reader.textOf(keyLength) : "";
    const valueLength = reader.varint();
    const valueAt = reader.at;
    reader.at += Math.max(0, valueLength);
    const headersAt = bytes[reader.at] === 0 ? -1 : reader.at;
    into.push(
      new BatchRecord(offset, timestamp, key, bytes, valueAt, valueLength < 0 ? -1 : valueAt + valueLength, headersAt),
    );
    reader.at = next;
  }
}
