import type { IncomingRecord, Log } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { fingerprint } from "./checkpoint.js";
import type { AuditReport, Finding, PartitionReport } from "./findings.js";
import { chainHashes, signedHeads } from "./notary-store.js";
import type { ChainPlace } from "./record-chain.js";
import type { SecondPlace } from "./second-place.js";
import { verifyPartition } from "./verify-partition.js";

export interface VerifyOptions {
  /** The log itself, or a copy of a broker's folder. */
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly second: SecondPlace;
  /** Id of the journal. */
  readonly journal: string;
  readonly topics: readonly string[];
  /** Raw public keys whose signatures count. */
  readonly keys: readonly Buffer[];
  /** Told after each partition. */
  readonly onPartition?: (report: PartitionReport) => void;
  /** Milliseconds that a signed head may take until it is in the second place; default 60,000. */
  readonly exportMilliseconds?: number;
  /** Milliseconds that a record may take until it is chained; default 600,000. */
  readonly unseenMilliseconds?: number;
}

/** Records that the database says are chained, by partition. */
async function chainedSizes(pool: Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ topic: string; partition: number; size: number }>(
    "SELECT topic, partition, next_offset AS size FROM engine.notary_lanes",
  );
  return new Map(rows.map(({ topic, partition, size }) => [`${topic}/${partition}`, size]));
}

/** Partitions of a topic in the log; none when it has no such topic. */
async function watermarksOf({ log }: VerifyOptions, topic: string) {
  try {
    return await log.watermarks(topic);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_TOPIC_MISSING") throw error;
    return [];
  }
}

/** Partitions of a topic that anything tells of: one that is gone from the log is known from the database or the second place. */
async function partitionsOf(options: VerifyOptions, topic: string): Promise<readonly number[]> {
  const { pool, second, journal } = options;
  const { rows } = await pool.query<{ partition: number }>(
    `SELECT partition FROM engine.notary_lanes WHERE topic = $1
     UNION SELECT partition FROM engine.notary_checkpoints WHERE topic = $1`,
    [topic],
  );
  const inLog = (await watermarksOf(options, topic)).map(({ partition }) => partition);
  const all = new Set([
    ...inLog,
    ...rows.map(({ partition }) => partition),
    ...(await second.partitions(journal, topic)),
  ]);
  return [...all].sort((one, other) => one - other);
}

/**
 * Reads the log again from its first record on, and compares it with the notary's chain, its signed heads, and those kept
 * outside of the database. What the notary has not seen yet is counted and not compared; what it should have seen is named.
 * @throws what keeps it from reading.
 */
export async function verifyLog(options: VerifyOptions): Promise<AuditReport> {
  const { log, pool, second, journal, topics, keys, onPartition, exportMilliseconds = 60_000 } = options;
  const partitions: PartitionReport[] = [];
  for (const topic of topics) {
    const exportedBefore = Date.now() - exportMilliseconds;
    const known = [];
    for (const partition of await partitionsOf(options, topic)) {
      const place: ChainPlace = { journal, topic, partition };
      const outside = await second.readAll(place);
      known.push({ place, outside, heads: await signedHeads(pool, place) });
    }
    // What was written first is asked last: so nothing is the shorter only because it was asked earlier.
    const sizes = await chainedSizes(pool);
    const marks = await watermarksOf(options, topic);
    for (const { place, heads, outside } of known) {
      const { partition } = place;
      const { low, high } = marks.find((mark) => mark.partition === partition) ?? { low: 0, high: 0 };
      const chainedSize = sizes.get(`${topic}/${partition}`) ?? 0;
      const report = await verifyPartition({
        place,
        records: high > 0 ? log.read(topic, partition, low, high) : nothing(),
        low,
        high,
        chain: chainHashes(pool, place, 0, chainedSize),
        chainedSize,
        heads,
        exported: outside.heads,
        unreadable: outside.unreadable,
        trusted: (key) => keys.some((one) => one.equals(key)),
        exportedBefore,
      });
      partitions.push(report);
      onPartition?.(report);
    }
  }
  const all = partitions.flatMap(({ findings }): readonly Finding[] => findings);
  // A record says more than the evidence about it.
  const first = all.find(({ what }) => what.startsWith("record")) ?? all[0] ?? null;
  const sum = (of: (report: PartitionReport) => number) => partitions.reduce((total, report) => total + of(report), 0);
  const compared = sum(({ chained }) => chained);
  const records = sum((report) => report.records);
  const { unseenMilliseconds = 600_000 } = options;
  const behind = oldestUnseen(partitions, Date.now() - unseenMilliseconds);
  const ok = first === null && compared > 0;
  return { ok, first, behind, records, compared, keys: keys.map(fingerprint), partitions };
}

/** @param before epoch milliseconds: what was appended since is no finding. */
function oldestUnseen(partitions: readonly PartitionReport[], before: number): AuditReport["behind"] {
  const waiting = partitions.flatMap(({ topic, partition, unseen }) =>
    unseen && unseen.appendedAt < before ? [{ topic, partition, ...unseen }] : [],
  );
  return waiting.sort((one, other) => one.appendedAt - other.appendedAt)[0] ?? null;
}

async function* nothing(): AsyncIterable<readonly IncomingRecord[]> {}
