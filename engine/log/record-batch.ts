import type { IncomingRecord, RecordBytes } from "./log.js";

const noHeaders: Readonly<Record<string, string>> = {};

/** A record inside the bytes of its batch. Value and headers are cut out when they are asked for. */
class BatchRecord implements IncomingRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly within: Buffer;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Where the headers begin; -1 for none. */
  readonly #headersAt: number;
  /** Where the key's length lies. */
  readonly #keyAt: number;

  constructor(
    offset: number,
    timestamp: number,
    key: string,
    bytes: Buffer,
    start: number,
    end: number,
    headers: number,
    keyAt: number,
  ) {
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key;
    this.within = bytes;
    this.valueStart = start;
    this.valueEnd = end;
    this.#headersAt = headers;
    this.#keyAt = keyAt;
  }

  get value(): Buffer | null {
    return this.valueEnd < 0 ? null : this.within.subarray(this.valueStart, this.valueEnd);
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.#headersAt < 0) return noHeaders;
    const reader = new Reader(this.within, this.#headersAt);
    const headers: Record<string, string> = {};
    // Of a header that stands several times the last counts.
    for (let count = reader.varint(); count > 0 && reader.at < this.within.length; count--) {
      const name = reader.text();
      const length = reader.varint();
      if (length >= 0) headers[name] = reader.textOf(length);
    }
    return headers;
  }

  exact(): RecordBytes {
    const reader = new Reader(this.within, this.#keyAt);
    const key = reader.bytes();
    const value = reader.bytes();
    const headers: [Buffer, Buffer | null][] = [];
    for (let count = reader.varint(); count > 0; count--) {
      if (reader.at >= this.within.length) throw new Error("Headers beyond the end of their batch.");
      headers.push([reader.bytes() ?? Buffer.alloc(0), reader.bytes()]);
    }
    return { key, value, headers };
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

  /** Bytes with their length in front, as they are; null for none. */
  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
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
  lastOffsetDelta: 23,
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

/** A record batch, its records not yet decoded. */
interface Batch {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Append time of all its records when `stamped`, else what their deltas are added to. */
  readonly time: number;
  readonly stamped: boolean;
}

/**
 * The record batches of a fetched partition, decoded a stretch at a time: records and what is made of them are garbage
 * soon after. Decoded all at once, tens of thousands of them would be moved about by the collector.
 */
export class FetchedBatches {
  readonly #batches: readonly Batch[];
  readonly length: number;

  constructor(batches: readonly Batch[]) {
    this.#batches = batches;
    this.length = batches.reduce((sum, { count }) => sum + count, 0);
  }

  get firstOffset(): number {
    return this.#batches[0]?.baseOffset ?? 0;
  }

  get lastOffset(): number {
    return this.#batches.at(-1)?.lastOffset ?? -1;
  }

  /** All records in order, at most so many at a time. @throws when a record goes beyond the end of its batch. */
  *stretches(size: number): Generator<IncomingRecord[]> {
    let stretch: IncomingRecord[] = [];
    for (const batch of this.#batches) {
      const reader = new Reader(batch.bytes, batch.start);
      for (let index = 0; index < batch.count; index++) {
        stretch.push(decodeRecord(reader, batch));
        if (stretch.length < size) continue;
        yield stretch;
        stretch = [];
      }
    }
    if (stretch.length > 0) yield stretch;
  }
}

/**
 * Finds the record batches of a fetched partition. The last one may be cut off, as brokers do: it is left out.
 * @returns undefined when there is something in it that the library has to decode: an older format, records of
 *   transactions, or an unknown codec.
 */
export async function openBatches(bytes: Buffer, decompress: Decompress): Promise<FetchedBatches | undefined> {
  const batches: Batch[] = [];
  for (let at = 0; at + place.records <= bytes.length; ) {
    const end = at + place.length + 4 + bytes.readInt32BE(at + place.length);
    // Bytes that were changed where they lie: going on from there might never end.
    if (end < at + place.records) throw new Error("A batch shorter than its head.");
    if (bytes[at + place.magic] !== 2) return undefined;
    if (end > bytes.length) break;
    const attributes = bytes.readInt16BE(at + place.attributes);
    if ((attributes & transactional) !== 0) return undefined;
    const baseOffset = Number(bytes.readBigInt64BE(at));
    const stamped = (attributes & appendTime) !== 0;
    const batch = {
      count: bytes.readInt32BE(at + place.count),
      baseOffset,
      lastOffset: baseOffset + bytes.readInt32BE(at + place.lastOffsetDelta),
      time: Number(bytes.readBigInt64BE(at + (stamped ? place.maxTimestamp : place.firstTimestamp))),
      stamped,
    };
    const start = at + place.records;
    if ((attributes & codecMask) === 0) batches.push({ ...batch, bytes, start, end });
    else {
      const decompressed = await decompress(attributes, bytes.subarray(start, end));
      if (!decompressed) return undefined;
      batches.push({ ...batch, bytes: decompressed, start: 0, end: decompressed.length });
    }
    at = end;
  }
  // A batch without records is what compaction left of one.
  return new FetchedBatches(batches.filter(({ count }) => count > 0));
}

function decodeRecord(reader: Reader, { bytes, end, baseOffset, time, stamped }: Batch): IncomingRecord {
  const length = reader.varint();
  const next = reader.at + length;
  if (!(length > 0 && next <= end)) throw new Error("A record beyond the end of its batch.");
  // One byte of attributes, which no version uses.
  reader.at++;
  const delta = reader.varlong();
  const offset = baseOffset + reader.varint();
  const keyAt = reader.at;
  const keyLength = reader.varint();
  const key = keyLength > 0 ? reader.textOf(keyLength) : "";
  const valueLength = reader.varint();
  const valueAt = reader.at;
  reader.at += Math.max(0, valueLength);
  const headersAt = bytes[reader.at] === 0 ? -1 : reader.at;
  reader.at = next;
  const valueEnd = valueLength < 0 ? -1 : valueAt + valueLength;
  return new BatchRecord(offset, stamped ? time : time + delta, key, bytes, valueAt, valueEnd, headersAt, keyAt);
}
