import type { IncomingRecord, Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
import { storableText } from "./checkpoint.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { waitingFrom, withEvent } from "./origins.js";
import { Positions } from "./positions.js";

/** How some of the events count. */
export interface HistoryOptions {
  /** Offsets of events whose decision is recorded and not carried out: they count as before it; default none. */
  readonly pending?: ReadonlySet<number>;
  /** Keys, as they are stored, that are held at what Postgres refused, with its offset: what came since waits; default none. */
  readonly refused?: ReadonlyMap<string, number>;
}

/** Events of keys that stand before an offset of their partition, in the order of their origins. */
export type KeyHistory = (
  keys: ReadonlySet<string>,
  before: number,
  options?: HistoryOptions,
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
  return async (keys, before, { pending, refused } = {}) => {
    const standing = new Map<string, readonly LaneEvent[]>();
    const decided = (offset: number) => !pending?.has(offset) && context.decided?.(offset) === true;
    for (const [key, all] of await keyEvents(log, { ...context, decided })(keys, before)) {
      const counted = waitingFrom(refused?.get(storableText(key)) ?? before, all);
      standing.set(key, counted.reduce<readonly LaneEvent[]>(withEvent, []));
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
