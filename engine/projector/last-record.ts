import { createHash } from "node:crypto";
import type { IncomingRecord, Log } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Checkpoint, LanePlace } from "./checkpoint.js";

/**
 * What tells a record from any other that ever had its offset: hash of append time, key and value, 16 hexadecimal digits.
 * Two records alike in all three are the same to every fold.
 */
export function fingerprint({ timestamp, key, value }: IncomingRecord): string {
  const hash = createHash("sha256").update(`${timestamp} ${key.length} ${key}`);
  if (value) hash.update(value);
  return hash.digest("hex").slice(0, 16);
}

/**
 * The record at an offset; undefined where it is no longer there. Whether what is to be read next is still there is not
 * asked here.
 */
export async function recordAt(
  log: Pick<Log, "read">,
  { topic, partition }: Pick<LanePlace, "topic" | "partition">,
  offset: number,
): Promise<IncomingRecord | undefined> {
  try {
    for await (const records of log.read(topic, partition, offset, offset + 1)) {
      const found = records.find((record) => record.offset === offset);
      if (found) return found;
    }
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_TRUNCATED") throw error;
  }
  return undefined;
}

/**
 * Holds a checkpoint against the log it was read from. A checkpoint of a version that kept no fingerprint, and one whose
 * record was removed by retention or compaction, are taken as they are.
 *
 * @throws TRIB_LOG_REPLACED when another record stands where the last one was read.
 */
export async function assertSameLog(
  log: Pick<Log, "read">,
  place: Pick<LanePlace, "topic" | "partition">,
  { nextOffset, lastRecord }: Pick<Checkpoint, "nextOffset" | "lastRecord">,
): Promise<void> {
  if (lastRecord === null || nextOffset === 0) return;
  const offset = nextOffset - 1;
  const found = await recordAt(log, place, offset);
  if (!found || fingerprint(found) === lastRecord) return;
  const { topic, partition } = place;
  throw new TributaryError(
    "TRIB_LOG_REPLACED",
    `The record at ${topic}/${partition}/${offset} is not the one that was read there.`,
    { topic, partition, offset },
  );
}
