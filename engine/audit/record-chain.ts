import { createHash, hash } from "node:crypto";
import { exactBytes, type IncomingRecord, type RecordBytes } from "../log/log.js";

/** The place of a chain: one a partition. Topics are without the installation's prefix. */
export interface ChainPlace {
  /** Id of the journal: it names the installation's log, made anew with it. */
  readonly journal: string;
  readonly topic: string;
  readonly partition: number;
}

/** Name of a chain, as its checkpoints carry it. */
export const chainOrigin = ({ journal, topic, partition }: ChainPlace): string =>
  `tributary/${journal}/${topic}/${partition}`;

/** What the first record is chained to: so that a record proves which partition it is of. */
export const chainStart = (place: ChainPlace): Buffer =>
  hash("sha256", `tributary record chain 1\n${chainOrigin(place)}\n`, "buffer");

const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const none = int32(-1);

/** Bytes with their length in front; -1 for none. */
const sized = (bytes: Buffer | null): Buffer[] => (bytes === null ? [none] : [int32(bytes.length), bytes]);

/**
 * A record as bytes that no other record has: offset and append time (8 bytes each), key, value (4 bytes of length in
 * front, -1 for none), number of headers (4 bytes), and name and value of each.
 */
export function recordParts(offset: number, timestamp: number, { key, value, headers }: RecordBytes): Buffer[] {
  const place = Buffer.allocUnsafe(16);
  place.writeBigInt64BE(BigInt(offset), 0);
  place.writeBigInt64BE(BigInt(timestamp), 8);
  return [
    place,
    ...sized(key),
    ...sized(value),
    int32(headers.length),
    ...headers.flatMap(([name, content]) => [...sized(name), ...sized(content)]),
  ];
}

/** Beyond this a record is not copied to be hashed. */
const copiedBytes = 64 * 1024;

/** The chain with a record more: SHA-256 of the chain before and the record. */
export function chained(before: Buffer, record: IncomingRecord): Buffer {
  const parts = [before, ...recordParts(record.offset, record.timestamp, exactBytes(record))];
  if ((record.value?.length ?? 0) < copiedBytes) return hash("sha256", Buffer.concat(parts), "buffer");
  const hasher = createHash("sha256");
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/**
 * The chain after an offset at which the log shows nobody a record: a transaction's marker, what was written in one that
 * was aborted, what was compacted away. SHA-256 of the chain before, the offset, and -1 as the time (8 bytes each): shorter
 * than any record, so that no record is taken for it, and one that is put there later is found.
 */
export function chainedGap(before: Buffer, offset: number): Buffer {
  const place = Buffer.allocUnsafe(16);
  place.writeBigInt64BE(BigInt(offset), 0);
  place.writeBigInt64BE(-1n, 8);
  return hash("sha256", Buffer.concat([before, place]), "buffer");
}
