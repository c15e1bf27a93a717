import { crc32c } from "../log/crc32c.js";
import { exactBytes, type IncomingRecord } from "../log/log.js";
import { type Alteration, alterations, altered, type Chance } from "./tampering.js";

/** A broker's segment of one partition: its batches as they lie in the file, and all records in them. */
export interface Segment {
  readonly batches: readonly SegmentBatch[];
  readonly records: readonly IncomingRecord[];
}

export interface SegmentBatch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly last: number;
}

/** Head of a record batch (format 2), by the place of its fields. */
const place = { length: 8, sum: 17, attributes: 21, last: 23, firstTime: 27, maxTime: 35, count: 57 } as const;
const headBytes = 61;
/** Of the attributes: compression, and whether the broker's clock stands for all records. */
const codecBits = 0x07;
const appendTimeBit = 0x08;
/** The leader's epoch: the brokers' own, no part of a record, nor under the batch's sum. */
const [epochFrom, epochTo] = [12, 16];

/** @param records all that the file holds, as the log reads them. */
export function segmentOf(file: Buffer, records: readonly IncomingRecord[]): Segment {
  const batches: SegmentBatch[] = [];
  for (let at = 0; at < file.length; ) {
    const bytes = file.subarray(at, at + place.length + 4 + file.readInt32BE(at + place.length));
    const first = Number(bytes.readBigInt64BE(0));
    batches.push({ bytes, first, last: first + bytes.readInt32BE(place.last) });
    at += bytes.length;
  }
  return { batches, records };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = (BigInt(value) << 1n) ^ (BigInt(value) >> 63n);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
const sized = (bytes: Buffer | null) => (bytes === null ? [varint(-1)] : [varint(bytes.length), bytes]);

/** A batch as a broker would have written it, its sum right; uncompressed. */
function batchOf(template: Buffer, records: readonly IncomingRecord[]): Buffer {
  const base = records[0]?.offset ?? 0;
  const times = records.map(({ timestamp }) => timestamp);
  const time = times[0] ?? 0;
  const isOneTime = times.every((each) => each === time);
  const bodies = records.map((record) => {
    const { key, value, headers } = exactBytes(record);
    const body = Buffer.concat([
      Buffer.from([0]),
      varint(isOneTime ? 0 : record.timestamp - time),
      varint(record.offset - base),
      ...sized(key),
      ...sized(value),
      varint(headers.length),
      ...headers.flatMap(([name, content]) => [...sized(name), ...sized(content)]),
    ]);
    return Buffer.concat([varint(body.length), body]);
  });
  const bytes = Buffer.concat([template.subarray(0, headBytes), ...bodies]);
  const attributes = template.readInt16BE(place.attributes) & ~codecBits;
  bytes.writeInt16BE(isOneTime ? attributes : attributes & ~appendTimeBit, place.attributes);
  bytes.writeInt32BE((records.at(-1)?.offset ?? base) - base, place.last);
  bytes.writeBigInt64BE(BigInt(time), place.firstTime);
  bytes.writeBigInt64BE(BigInt(Math.max(...times)), place.maxTime);
  bytes.writeInt32BE(records.length, place.count);
  return placed(bytes, base);
}

/** A batch at another offset, length and sum made right. */
function placed(batch: Buffer, offset: number): Buffer {
  const bytes = Buffer.from(batch);
  bytes.writeBigInt64BE(BigInt(offset), 0);
  bytes.writeInt32BE(bytes.length - place.length - 4, place.length);
  bytes.writeUInt32BE(crc32c(bytes.subarray(place.attributes)), place.sum);
  return bytes;
}

/** The file with other records in it, in batches as they were. */
export function rewritten({ batches }: Segment, records: readonly IncomingRecord[]): Buffer {
  const last = batches.at(-1)?.last ?? 0;
  return Buffer.concat(
    batches.flatMap(({ bytes, first, last: end }) => {
      const inside = records.filter(({ offset }) => offset >= first && (offset <= end || end === last));
      return inside.length > 0 ? [batchOf(bytes, inside)] : [];
    }),
  );
}

/** Batches one after the other, each at the offset where the one before it ends. */
const renumbered = (batches: readonly SegmentBatch[]): Buffer => {
  let next = 0;
  return Buffer.concat(
    batches.map(({ bytes, first, last }) => {
      const at = next;
      next += last - first + 1;
      return placed(bytes, at);
    }),
  );
};

export const segmentAlterations = [
  ...alterations,
  "flip a bit of the file",
  "leave out a batch and close the gap",
  "leave out a batch and leave the gap",
  "insert a batch",
  "swap two neighbouring batches",
  "move a batch far",
  "cut off batches",
] as const;
type SegmentAlteration = (typeof segmentAlterations)[number];

export interface TamperedSegment {
  readonly bytes: Buffer;
  /** Offsets among which the first record is that is another than before: most often one. */
  readonly first: number;
  readonly last: number;
}

const integer = (chance: Chance, below: number) => Math.floor(chance() * below);

function flipped({ batches }: Segment, chance: Chance): TamperedSegment | undefined {
  const bytes = Buffer.concat(batches.map((batch) => batch.bytes));
  const at = integer(chance, bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << integer(chance, 8));
  let start = 0;
  for (const { bytes: batch, first, last } of batches) {
    const inside = at - start;
    if (inside < batch.length) return inside >= epochFrom && inside < epochTo ? undefined : { bytes, first, last };
    start += batch.length;
  }
  return undefined;
}

/**
 * A copy of a segment with one thing altered, as somebody would who can write the brokers' disks and knows their format:
 * sums are right, and offsets follow each other unless that is the alteration.
 * @returns undefined where there is nothing to alter so.
 */
export function tamperedSegment(
  segment: Segment,
  alteration: SegmentAlteration,
  chance: Chance,
): TamperedSegment | undefined {
  const { batches, records } = segment;
  if (alteration === "flip a bit of the file") return flipped(segment, chance);
  if ((alterations as readonly string[]).includes(alteration)) {
    const found = altered(records, alteration as Alteration, chance);
    return found && { bytes: rewritten(segment, found.records), first: found.first, last: found.first };
  }
  const at = integer(chance, batches.length);
  const to = integer(chance, batches.length);
  const [batch, other] = [batches[at], batches[to]];
  if (!batch || !other) return undefined;
  const from = (index: number, bytes: Buffer) => {
    const first = batches[index]?.first ?? 0;
    return { bytes, first, last: first };
  };
  switch (alteration) {
    case "leave out a batch and close the gap":
      return from(at, renumbered(batches.toSpliced(at, 1)));
    case "leave out a batch and leave the gap":
      return from(at, Buffer.concat(batches.toSpliced(at, 1).map(({ bytes }) => bytes)));
    case "insert a batch":
      return at === to ? undefined : from(at, renumbered(batches.toSpliced(at, 0, other)));
    case "swap two neighbouring batches": {
      const next = batches[at + 1];
      return next && from(at, renumbered(batches.toSpliced(at, 2, next, batch)));
    }
    case "move a batch far":
      return at === to
        ? undefined
        : from(Math.min(at, to), renumbered(batches.toSpliced(at, 1).toSpliced(to, 0, batch)));
    case "cut off batches":
      return from(at, Buffer.concat(batches.slice(0, at).map(({ bytes }) => bytes)));
    default:
      return undefined;
  }
}
