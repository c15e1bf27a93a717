import {
  assertKafkajsVersion,
  type DecodeMessages,
  type LibraryDecoder,
  lookUpCodec,
  replaceFetchDecoder,
} from "./kafkajs-internals.js";
import type { IncomingRecord } from "./log.js";
import { decodeBatches } from "./record-batch.js";

/**
 * Decodes fetched record batches with code of our own, straight into the records that lanes take.
 *
 * The library makes for each record two decoders, a dozen big integers and two offsets as text, and compares offsets as
 * 64-bit objects: more than half of the time a consumer's process needs for an event (docs/performance.md). What ours
 * doesn't decode (formats before 2, transactions) goes the library's way.
 */
function decoder(original: DecodeMessages): DecodeMessages {
  return async (response: LibraryDecoder) => {
    const start = response.offset;
    const size = response.buffer.readInt32BE(start);
    if (size <= 0 || start + 4 + size > response.buffer.length) return original(response);
    const bytes = response.buffer.subarray(start + 4, start + 4 + size);
    const records = await decodeBatches(bytes, (attributes, body) => lookUpCodec(attributes)?.decompress(body));
    if (!records) return original(response);
    response.offset = start + 4 + size;
    return sorted(records);
  };
}

/**
 * The library asks twice which of a fetch's records it may show: those from the offset it asked for on, and those that
 * are no control records. Records are in the order of offsets and none is a control record, so as a rule the answer is
 * all of them, and two records tell.
 */
function sorted(records: IncomingRecord[]): IncomingRecord[] {
  const { filter } = Array.prototype;
  Object.defineProperty(records, "filter", {
    value(this: IncomingRecord[], keep: (record: IncomingRecord) => boolean) {
      const [first] = this;
      if (first === undefined || keep(first)) return this;
      return sorted(filter.call(this, keep) as IncomingRecord[]);
    },
  });
  return records;
}

let applied = false;

/** Applies the replacement to the installed library, once a process, before its first fetch. @throws when it is another version. */
export function decodeFetchesOurselves(): void {
  if (applied) return;
  assertKafkajsVersion();
  replaceFetchDecoder(decoder);
  applied = true;
}
