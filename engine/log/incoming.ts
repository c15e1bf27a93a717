import { LibraryRecords } from "./kafkajs-fetch.js";
import type { FetchedRecord } from "./kafkajs-internals.js";
import type { IncomingRecord, RecordBytes } from "./log.js";

/**
 * Fetched records as lanes take them, at most so many at a time: those of batches that we decode, and those that the
 * library decoded. Control records of transactions are the broker's own: they take an offset and are no record.
 * @param fetched an array of the library's records, or of ours, or `LibraryRecords`.
 */
export function* stretchesOf(fetched: object, size: number): Generator<readonly IncomingRecord[]> {
  if (fetched instanceof LibraryRecords) {
    yield* fetched.batches.stretches(size);
    return;
  }
  const records = fetched as readonly (FetchedRecord | IncomingRecord)[];
  for (let at = 0; at < records.length; at += size) {
    yield records.slice(at, at + size).flatMap((record) => {
      if (typeof record.offset === "number") return [record as IncomingRecord];
      return (record as FetchedRecord).isControlRecord ? [] : [incomingRecord(record as FetchedRecord)];
    });
  }
}

/** Offset of the last of the fetched records, control records too; undefined when there are none. */
export function lastOffsetOf(fetched: object): number | undefined {
  const records = fetched as ArrayLike<{ readonly offset: unknown }>;
  return records.length > 0 ? Number(records[records.length - 1]?.offset) : undefined;
}

const noHeaders = {};

/** Numbers instead of texts, texts instead of buffers; of a header that stands several times the last counts. */
function incomingRecord(record: FetchedRecord): IncomingRecord {
  const names = record.headers ? Object.keys(record.headers) : [];
  let headers: Record<string, string> = noHeaders;
  if (names.length > 0) {
    headers = {};
    for (const name of names) {
      const value = record.headers[name];
      const last = Array.isArray(value) ? value.at(-1) : value;
      if (last !== undefined && last !== null) headers[name] = last.toString();
    }
  }
  return {
    offset: Number(record.offset),
    timestamp: Number(record.timestamp),
    key: record.key?.toString() ?? "",
    value: record.value,
    headers,
    exact: () => exactOf(record),
  };
}

/** The library keeps headers by name: those of one name stay in order. */
function exactOf({ key, value, headers }: FetchedRecord): RecordBytes {
  const pairs = Object.entries(headers ?? {}).flatMap(([name, given]) =>
    (Array.isArray(given) ? given : [given]).map((one): [Buffer, Buffer | null] => [
      Buffer.from(name),
      one === undefined || one === null ? null : Buffer.from(one),
    ]),
  );
  return { key: key ?? null, value, headers: pairs };
}
