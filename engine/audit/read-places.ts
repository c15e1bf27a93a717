import type { IncomingRecord, Log } from "../log/log.js";
import { TributaryError } from "../service/errors.js";

export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface PlacedRecord extends RecordPlace {
  readonly record: IncomingRecord;
}

/** Those of some places at which a topic has a record. @throws TRIB_LOG_TOPIC_MISSING */
export async function placesIn(
  log: Pick<Log, "watermarks">,
  topic: string,
  places: readonly RecordPlace[],
): Promise<RecordPlace[]> {
  const marks = new Map((await log.watermarks(topic)).map((mark) => [mark.partition, mark]));
  return places.filter(({ partition, offset }) => {
    const { low = 0, high = 0 } = marks.get(partition) ?? {};
    return offset >= low && offset < high;
  });
}

export const placeName = ({ topic, partition, offset }: RecordPlace): string => `${topic}/${partition}/${offset}`;

/** Records nearer to each other than this are read in one go. */
const nearRecords = 500;
/** Reads under way at once. */
const lanes = 8;

/**
 * Reads single records, each once, in the order of topics, partitions and offsets.
 * @throws TRIB_LOG_TRUNCATED when one is gone.
 */
export async function readPlaces(log: Pick<Log, "read">, places: readonly RecordPlace[]): Promise<PlacedRecord[]> {
  const sorted = [...new Map(places.map((place) => [placeName(place), place])).values()].sort(
    (left, right) =>
      (left.topic < right.topic ? -1 : left.topic > right.topic ? 1 : 0) ||
      left.partition - right.partition ||
      left.offset - right.offset,
  );
  const stretches: RecordPlace[][] = [];
  for (const place of sorted) {
    const last = stretches.at(-1)?.at(-1);
    const isNear =
      last?.topic === place.topic && last.partition === place.partition && place.offset - last.offset < nearRecords;
    if (isNear) stretches.at(-1)?.push(place);
    else stretches.push([place]);
  }
  const found: PlacedRecord[][] = [];
  let next = 0;
  let failed = false;
  const run = async () => {
    try {
      for (let index = next++; index < stretches.length && !failed; index = next++) {
        found[index] = await readStretch(log, stretches[index] as RecordPlace[]);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  // None is left reading when the first has failed: the log may be closed then.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(lanes, stretches.length) }, run));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return found.flat();
}

async function readStretch(log: Pick<Log, "read">, stretch: readonly RecordPlace[]): Promise<PlacedRecord[]> {
  const [first] = stretch;
  const last = stretch.at(-1);
  if (!first || !last) return [];
  const wanted = new Map(stretch.map((place) => [place.offset, place]));
  const found: PlacedRecord[] = [];
  for await (const records of log.read(first.topic, first.partition, first.offset, last.offset + 1)) {
    for (const record of records) {
      const place = wanted.get(record.offset);
      if (place) found.push({ ...place, record });
    }
  }
  if (found.length < wanted.size) {
    const { topic, partition, offset } = first;
    throw new TributaryError("TRIB_LOG_TRUNCATED", undefined, { topic, partition, offset });
  }
  return found;
}
