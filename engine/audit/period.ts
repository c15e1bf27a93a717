import type { Log } from "../log/log.js";
import { entities, eventsTopic, journalTopic } from "../log/schemas.js";
import { TributaryError } from "../service/errors.js";
import type { PlacedRecord } from "./read-places.js";

/** Records that go into one package: they are in memory together. */
const mostRecords = 100_000;

/**
 * All units and events that the log took in a period, by its own clock.
 * @param from inclusive, `to` exclusive, epoch milliseconds.
 * @throws TRIB_AUDIT_PACKAGE_TOO_LARGE
 */
export async function recordsOfPeriod(
  log: Pick<Log, "read" | "watermarks">,
  from: number,
  to: number,
): Promise<PlacedRecord[]> {
  const found: PlacedRecord[] = [];
  for (const topic of [journalTopic, ...entities.map(eventsTopic)]) {
    for (const { partition, low, high } of await log.watermarks(topic)) {
      for await (const records of log.read(topic, partition, low, high)) {
        // Append times never run backwards in a partition of one leader; after a change of leaders they may, a little.
        for (const record of records) {
          if (record.timestamp < from || record.timestamp >= to) continue;
          found.push({ topic, partition, offset: record.offset, record });
        }
        if (found.length > mostRecords) {
          throw new TributaryError("TRIB_AUDIT_PACKAGE_TOO_LARGE", undefined, { limit: mostRecords });
        }
      }
    }
  }
  return found;
}
