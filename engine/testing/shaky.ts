import type { LogProducer, OutgoingRecord } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { MemoryLog } from "./memory-log.js";

/**
 * Sometimes fails before anything is sent, sometimes after one partition got its records or each got the first of its
 * own, sometimes after all was sent. What it never leaves is a hole: that is the log's promise.
 */
export function shakyProducer(log: MemoryLog, inner: LogProducer, roll: () => number): LogProducer {
  return {
    ...inner,
    async append(records) {
      const fate = roll();
      const unavailable = new TributaryError("TRIB_LOG_UNAVAILABLE");
      if (fate === 0) throw unavailable;
      if (fate === 1) await inner.append(ofPartition(log, records, roll() % 2));
      if (fate === 2) await inner.append(records.slice(0, roll() * 3));
      if (fate === 1 || fate === 2) throw unavailable;
      const appended = await inner.append(records);
      if (fate === 3) throw unavailable;
      return appended;
    },
  };
}

const ofPartition = (log: MemoryLog, records: readonly OutgoingRecord[], partition: number): OutgoingRecord[] =>
  records.filter(({ key }) => log.partitionOf(key) === partition);

/** Sometimes loses the connection before a statement, sometimes after it was committed. */
export function shakyPool(inner: Pool, roll: () => number): Pool {
  const query = async (text: string, values: unknown[]) => {
    const fate = roll();
    if (fate === 0) throw new TributaryError("TRIB_STORE_UNAVAILABLE");
    const result = await inner.query(text, values);
    if (fate === 1) throw new TributaryError("TRIB_STORE_UNAVAILABLE");
    return result;
  };
  return { query } as unknown as Pool;
}
