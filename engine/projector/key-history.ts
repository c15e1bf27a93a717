import type { IncomingRecord, Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
import { asRefused, type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { withEvent } from "./origins.js";
import type { ParkReason } from "./park-reason.js";
import { Positions } from "./positions.js";

/**
 * Events of keys that stand before an offset of their partition, in the order of their origins.
 * @param refused what Postgres refused in the build, by offset; default nothing.
 */
export type KeyHistory = (
  keys: ReadonlySet<string>,
  before: number,
  refused?: ReadonlyMap<number, ParkReason>,
) => Promise<ReadonlyMap<string, readonly LaneEvent[]>>;

/** A record without a position is told of by who decodes it. */
function isFresh(positions: Positions, { headers }: IncomingRecord): boolean {
  const position = parsePosition(headers[positionHeader] ?? "");
  return position === undefined || positions.take(position, null);
}

/**
 * Reads the partition from its start for a few keys: what a key that is told again is folded from. Only their events are
 * decoded. Costs one reading of the partition, and nothing as long as no unit was translated again.
 */
export function keyHistory(log: Pick<Log, "read">, context: ReadContext): KeyHistory {
  return async (keys, before, refused = new Map()) => {
    const standing = new Map<string, readonly LaneEvent[]>();
    for (const [key, all] of await keyEvents(log, context)(keys, before)) {
      standing.set(key, asRefused(all, refused).reduce<readonly LaneEvent[]>(withEvent, []));
    }
    return standing;
  };
}

/** The same events in the order of the log, superseded ones too. */
export function keyEvents(
  log: Pick<Log, "read">,
  context: ReadContext,
): (keys: ReadonlySet<string>, before: number) => ReturnType<KeyHistory> {
  return async (keys, before) => {
    const { topic, partition, published } = context;
    const found = new Map<string, LaneEvent[]>();
    for (const key of keys) found.set(key, []);
    const positions = new Positions(undefined, "{}");
    for await (const records of log.read(topic, partition, 0, before)) {
      const fresh = published ? records.filter((record) => isFresh(positions, record)) : records;
      const wanted = fresh.filter(({ key }) => keys.has(key));
      if (wanted.length === 0) continue;
      for (const event of await readEvents(wanted, context)) found.get(event.key)?.push(event);
    }
    return found;
  };
}
