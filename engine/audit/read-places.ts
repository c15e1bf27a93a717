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
  const run = async () => {
    for (let index = next++; index < stretches.length; index = next++) {
      found[index] = await readStretch(log, stretches[index] as RecordPlace[]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, stretches.length) }, run));
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
