import type { Log } from "../log/log.js";
import { asRefused, type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { KeyWindow, recordsOf } from "./key-window.js";
import { withEvent } from "./origins.js";
import type { ParkReason } from "./park-reason.js";

/**
 * Events of keys that stand before an offset of their partition, in the order of their origins.
 * @param refused what Postgres refused in the build, by offset; default nothing.
 */
export type KeyHistory = (
  keys: ReadonlySet<string>,
  before: number,
  refused?: ReadonlyMap<number, ParkReason>,
) => Promise<ReadonlyMap<string, readonly LaneEvent[]>>;

/** What a lane keeps of keys that are told again soon: several lanes live in a process. */
const laneBytes = 8 * 1024 * 1024;

/**
 * What a key that is told again is folded from: all that stands of it in its partition. Only its events are decoded. What
 * is asked for one stretch after the other is gathered for many of them at once, so a partition is read as often as what
 * it takes fits into the bytes given, and not at all as long as no unit was translated again.
 * @param bytes kept of keys that are told again further on; default 8 MiB.
 */
export function keyHistory(log: Pick<Log, "read">, context: ReadContext, bytes = laneBytes): KeyHistory {
  const window = new KeyWindow(log, context, bytes);
  return async (keys, before, refused = new Map()) => {
    const standing = new Map<string, readonly LaneEvent[]>([...keys].map((key) => [key, []]));
    const events = await readEvents(await window.recordsOf(keys, before), context);
    for (const event of asRefused(events, refused)) {
      standing.set(event.key, withEvent(standing.get(event.key) ?? [], event));
    }
    return standing;
  };
}

/** The same events in the order of the log, superseded ones too, of all keys at once. */
export function keyEvents(
  log: Pick<Log, "read">,
  context: ReadContext,
): (keys: ReadonlySet<string>, before: number) => ReturnType<KeyHistory> {
  return async (keys, before) => {
    const found = new Map<string, LaneEvent[]>();
    for (const key of keys) found.set(key, []);
    for await (const wanted of recordsOf(log, context, (key) => keys.has(key), before)) {
      for (const event of await readEvents(wanted, context)) found.get(event.key)?.push(event);
    }
    return found;
  };
}
