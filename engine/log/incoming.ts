import type { IncomingRecord } from "./log.js";

/** A record as the library gives it. */
interface LibraryRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
}

const noHeaders = {};

/**
 * Records as lanes take them. Those that the library decoded get numbers instead of texts and texts instead of buffers;
 * of a header that stands several times the last counts.
 */
export function incomingRecords(records: readonly (LibraryRecord | IncomingRecord)[]): readonly IncomingRecord[] {
  const [first] = records;
  // One fetch of a partition is decoded one way. A copy, since the array that the library was given filters in its own way.
  if (first === undefined || typeof first.offset === "number") return records.slice() as IncomingRecord[];
  return (records as readonly LibraryRecord[]).map(incomingRecord);
}

function incomingRecord(record: LibraryRecord): IncomingRecord {
  const names = record.headers ? Object.keys(record.headers) : [];
  let headers: Record<string, string> = noHeaders;
  if (names.length > 0) {
    headers = {};
    for (const name of names) {
      const value = record.headers?.[name];
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
  };
}
