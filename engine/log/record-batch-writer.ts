import { crc32c } from "./crc32c.js";

/** A record as it goes into a batch. */
export interface BatchedRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A partition's records in a produce request. */
export interface BatchedPartition {
  readonly partition: number;
  readonly records: readonly BatchedRecord[];
}

/** A topic's part of a produce request. */
export interface BatchedTopic {
  /** As the broker knows it. */
  readonly topic: string;
  readonly partitions: readonly BatchedPartition[];
}

/** Bytes of a batch before its records (Kafka protocol, record batch format 2), and those before what its length counts. */
const headBytes = 61;
const uncountedBytes = 12;
/** Bytes before what the sum covers. */
const unsummedBytes = 21;

const none = Buffer.alloc(0);

/** A partition whose lengths are known. */
interface Sized extends BatchedPartition {
  /** Bytes of each record after its length. */
  readonly bodies: readonly number[];
  /** Of the whole batch. */
  readonly bytes: number;
}

/**
 * The body of a produce request (Kafka protocol, Produce version 3 to 7) without a transaction, its batches uncompressed:
 * measured first, then written once into bytes of just that size.
 * @param now epoch milliseconds of all records; the topics' append time replaces it.
 */
export function encodeProduce(
  topics: readonly BatchedTopic[],
  { acks, timeout, now }: { readonly acks: number; readonly timeout: number; readonly now: number },
): Buffer {
  let size = 2 + 2 + 4 + 4;
  const sized = topics.map(({ topic, partitions }) => {
    const measured = partitions.map(measure);
    size += 2 + Buffer.byteLength(topic) + 4;
    for (const { bytes } of measured) size += 4 + 4 + bytes;
    return { topic, partitions: measured };
  });
  const bytes = Buffer.allocUnsafe(size);
  // No transactional id.
  let at = bytes.writeInt16BE(-1, 0);
  at = bytes.writeInt16BE(acks, at);
  at = bytes.writeInt32BE(timeout, at);
  at = bytes.writeInt32BE(sized.length, at);
  for (const { topic, partitions } of sized) {
    const length = bytes.write(topic, at + 2);
    bytes.writeInt16BE(length, at);
    at = bytes.writeInt32BE(partitions.length, at + 2 + length);
    for (const partition of partitions) {
      at = bytes.writeInt32BE(partition.partition, at);
      at = bytes.writeInt32BE(partition.bytes, at);
      at = writeBatch(bytes, at, partition, now);
    }
  }
  return bytes;
}

function measure({ partition, records }: BatchedPartition): Sized {
  const bodies: number[] = [];
  let bytes = headBytes;
  let last: string | undefined;
  let keyBytes = 0;
  for (let index = 0; index < records.length; index++) {
    const { key, value, headers } = records[index] as BatchedRecord;
    // A feed's units follow each other.
    if (key !== last) keyBytes = Buffer.byteLength(key);
    last = key;
    // A byte of attributes and one of a time delta that is zero.
    let body = 2 + varintSize(index) + varintSize(keyBytes) + keyBytes + varintSize(value.length) + value.length;
    body += headers === undefined ? 1 : headersSize(headers);
    bodies.push(body);
    bytes += varintSize(body) + body;
  }
  return { partition, records, bodies, bytes };
}

function headersSize(headers: Readonly<Record<string, string>>): number {
  const all = Object.entries(headers);
  let size = varintSize(all.length);
  for (const text of all.flat()) {
    const length = Buffer.byteLength(text);
    size += varintSize(length) + length;
  }
  return size;
}

function writeBatch(bytes: Buffer, start: number, { records, bodies, bytes: size }: Sized, now: number): number {
  const end = start + size;
  bytes.writeBigInt64BE(0n, start);
  bytes.writeInt32BE(size - uncountedBytes, start + 8);
  // Leader epoch 0 as the library writes it, the format's magic number 2, the sum later, no attributes.
  bytes.writeInt32BE(0, start + 12);
  bytes[start + 16] = 2;
  bytes.writeInt16BE(0, start + unsummedBytes);
  bytes.writeInt32BE(records.length - 1, start + 23);
  bytes.writeBigInt64BE(BigInt(now), start + 27);
  bytes.writeBigInt64BE(BigInt(now), start + 35);
  // No idempotent producer: no id, epoch 0, sequence 0.
  bytes.writeBigInt64BE(-1n, start + 43);
  bytes.writeInt16BE(0, start + 51);
  bytes.writeInt32BE(0, start + 53);
  bytes.writeInt32BE(records.length, start + 57);
  let at = start + headBytes;
  let last: string | undefined;
  let keyBytes = none;
  for (let index = 0; index < records.length; index++) {
    const { key, value, headers } = records[index] as BatchedRecord;
    at = writeVarint(bytes, at, bodies[index] as number);
    bytes[at++] = 0;
    bytes[at++] = 0;
    at = writeVarint(bytes, at, index);
    if (key !== last) keyBytes = Buffer.from(key);
    last = key;
    at = writeVarint(bytes, at, keyBytes.length);
    bytes.set(keyBytes, at);
    at = writeVarint(bytes, at + keyBytes.length, value.length);
    bytes.set(value, at);
    at += value.length;
    if (headers === undefined) bytes[at++] = 0;
    else at = writeHeaders(bytes, at, headers);
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(start + unsummedBytes, end)), start + 17);
  return end;
}

function writeHeaders(bytes: Buffer, start: number, headers: Readonly<Record<string, string>>): number {
  const all = Object.entries(headers);
  let at = writeVarint(bytes, start, all.length);
  for (const text of all.flat()) at = writeText(bytes, at, text);
  return at;
}

function writeText(bytes: Buffer, start: number, text: string): number {
  const length = Buffer.byteLength(text);
  const at = writeVarint(bytes, start, length);
  bytes.write(text, at);
  return at + length;
}

/** Bytes of a zigzag varint of a number that is not negative. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value * 2; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = (value << 1) >>> 0;
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
