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

/** Numbers instead of texts, texts instead of buffers; of a header that stands several times the last counts. */
export function incomingRecord(record: LibraryRecord): IncomingRecord {
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
