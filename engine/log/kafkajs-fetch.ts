import {
  assertKafkajsVersion,
  type DecodeMessages,
  type LibraryDecoder,
  lookUpCodec,
  replaceFetchDecoder,
} from "./kafkajs-internals.js";
import type { IncomingRecord } from "./log.js";
import { type FetchedBatches, openBatches } from "./record-batch.js";

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
    const batches = await openBatches(bytes, (attributes, body) => lookUpCodec(attributes)?.decompress(body));
    if (!batches) return original(response);
    response.offset = start + 4 + size;
    return new LibraryRecords(batches);
  };
}

/**
 * Fetched batches, as far as the library looks into them: how many records there are, the first and the last offset, and
 * twice which of them it may show, those from the offset it asked for on, and those that are no control records. As a rule
 * that is all of them, and the first one tells.
 */
export class LibraryRecords {
  readonly batches: FetchedBatches;
  readonly length: number;
  [index: number]: { readonly offset: number };

  constructor(batches: FetchedBatches) {
    this.batches = batches;
    this.length = batches.length;
    if (this.length === 0) return;
    this[this.length - 1] = { offset: batches.lastOffset };
    this[0] = { offset: batches.firstOffset };
  }

  filter(keep: (record: { readonly offset: number }) => boolean): LibraryRecords | IncomingRecord[] {
    const first = this[0];
    if (first === undefined || keep(first)) return this;
    return [...this.batches.stretches(this.length)].flat().filter(keep);
  }

  some(found: (record: { readonly offset: number }) => boolean): boolean {
    return this.length > 0 && found(this[0] as { readonly offset: number });
  }
}

let applied = false;

/** Applies the replacement to the installed library, once a process, before its first fetch. @throws when it is another version. */
export function decodeFetchesOurselves(): void {
  if (applied) return;
  assertKafkajsVersion();
  replaceFetchDecoder(decoder);
  applied = true;
}
