import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { TributaryError } from "../service/errors.js";
import { registerCompression } from "./compression.js";
import { crc32c } from "./crc32c.js";
import { lookUpCodec } from "./kafkajs-internals.js";
import type { Log } from "./log.js";
import { openBatches } from "./record-batch.js";
import { isMarker, isTransactional, Outcomes, plainBatch } from "./transactions.js";

/** Head of a record batch (format 2): base offset, length of what follows these twelve bytes, and the sum's place. */
const headBytes = 61;
const lengthAt = 8;
const sumAt = 17;
const summedFrom = 21;
const lastOffsetDeltaAt = 23;
const stretchRecords = 1_000;

interface Batch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/** Batches of one file in order; it ends where the file ends or no batch follows. */
async function* batchesOf(file: FileHandle): AsyncGenerator<Batch> {
  const head = Buffer.alloc(headBytes);
  for (let at = 0; ; ) {
    if ((await file.read(head, 0, headBytes, at)).bytesRead < headBytes) return;
    const length = head.readInt32BE(lengthAt) + lengthAt + 4;
    if (length < headBytes) return;
    const { size } = await file.stat();
    if (at + length > size) return;
    const bytes = Buffer.allocUnsafe(length);
    await file.read(bytes, 0, length, at);
    const baseOffset = Number(bytes.readBigInt64BE(0));
    yield { bytes, baseOffset, lastOffset: baseOffset + bytes.readInt32BE(lastOffsetDeltaAt) };
    at += length;
  }
}

async function* batchesOfFiles(folder: string, names: readonly string[]): AsyncGenerator<Batch> {
  for (const name of names) {
    const file = await open(join(folder, name), "r");
    try {
      yield* batchesOf(file);
    } finally {
      await file.close();
    }
  }
}

const opened = (bytes: Buffer) => openBatches(bytes, (attributes, body) => lookUpCodec(attributes)?.decompress(body));

/** What became of the transactions in a partition: of none, as a rule. */
async function outcomesIn(folder: string, names: readonly string[]): Promise<Outcomes> {
  const outcomes = new Outcomes();
  for await (const batch of batchesOfFiles(folder, names)) {
    if (!isMarker(batch)) continue;
    const [record] = [...((await opened(plainBatch(batch)))?.stretches(1) ?? [])].flat();
    if (record) outcomes.tell(batch, record);
  }
  return outcomes;
}

async function segmentNames(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
}

/**
 * A copy of a broker's log folder, read without a broker: `<folder>/<topic>-<partition>/<base offset>.log`. Each batch's own
 * checksum is compared. What a consumer is not shown is left out: markers of transactions, and what was aborted.
 * @param prefix of the installation's topics.
 * @throws (from `read`) TRIB_LOG_BATCH_UNREADABLE naming the place; (from `watermarks`) TRIB_LOG_TOPIC_MISSING
 */
export function copiedLog(folder: string, prefix: string): Pick<Log, "read" | "watermarks"> {
  registerCompression();
  const folderOf = (topic: string, partition: number) => join(folder, `${prefix}${topic}-${partition}`);
  return {
    async watermarks(topic) {
      const names = await readdir(folder);
      const marks = [];
      for (let partition = 0; names.includes(`${prefix}${topic}-${partition}`); partition += 1) {
        const files = await segmentNames(folderOf(topic, partition));
        const low = Number(files[0]?.slice(0, 20) ?? 0);
        let high = low;
        for await (const { lastOffset } of batchesOfFiles(folderOf(topic, partition), files)) {
          high = Math.max(high, lastOffset + 1);
        }
        marks.push({ partition, low, high });
      }
      if (marks.length === 0) throw new TributaryError("TRIB_LOG_TOPIC_MISSING", undefined, { topic });
      return marks;
    },
    async *read(topic, partition, from, to) {
      const place = folderOf(topic, partition);
      let next = from;
      const unreadable = (cause?: unknown) =>
        new TributaryError("TRIB_LOG_BATCH_UNREADABLE", undefined, { topic, partition, offset: next }, { cause });
      let outcomes: Outcomes | undefined;
      const names = await segmentNames(place);
      for await (const batch of batchesOfFiles(place, names)) {
        const { bytes, lastOffset } = batch;
        if (lastOffset < from) continue;
        if (crc32c(bytes.subarray(summedFrom)) !== bytes.readUInt32BE(sumAt)) throw unreadable();
        try {
          if (isMarker(batch)) continue;
          if (isTransactional(batch)) {
            outcomes ??= await outcomesIn(place, names);
            if (!outcomes.isShown(batch)) continue;
          }
          const batches = await opened(isTransactional(batch) ? plainBatch(batch) : bytes);
          if (!batches) throw new Error("a batch of another format");
          for (const stretch of batches.stretches(stretchRecords)) {
            const records = stretch.filter(({ offset }) => offset >= from && offset < to);
            if (records.length === 0) continue;
            next = (records.at(-1)?.offset ?? next) + 1;
            yield records;
          }
        } catch (error) {
          throw unreadable(error);
        }
      }
    },
  };
}
