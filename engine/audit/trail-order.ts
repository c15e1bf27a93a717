import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { type KeyLife, lifeOf, livesOf, type PlacedEvent } from "./placed-event.js";
import { type PlacedRecord, placeName } from "./read-places.js";

/** An event in its place, and whether it still stands. */
export interface OrderedEvent {
  readonly event: PlacedEvent;
  /** What a later translation of its unit says instead. */
  readonly supersededBy: PlacedEvent | undefined;
}

const laneOf = ({ topic, partition, record }: PlacedRecord): string => `${topic}/${partition}/${record.key}`;
const unitOf = ({ origin, position }: PlacedEvent): string => {
  const { partition, offset } = origin ?? position;
  return `${partition}/${offset}`;
};

/**
 * Events by key. Of a key of which a unit was translated again all are read: those superseded are in no read model, the
 * timeline included.
 */
export async function livesAround(
  { log, codec }: { readonly log: Pick<Log, "read" | "watermarks">; readonly codec: Codec },
  events: readonly PlacedEvent[],
): Promise<readonly KeyLife[]> {
  const lanes = new Map<string, PlacedEvent[]>();
  for (const event of events) lanes.set(laneOf(event), [...(lanes.get(laneOf(event)) ?? []), event]);
  const again = new Map<string, { topic: string; partition: number; keys: Set<string> }>();
  for (const { topic, partition, record, origin } of events) {
    if (!origin) continue;
    const name = `${topic}/${partition}`;
    const lane = again.get(name) ?? { topic, partition, keys: new Set() };
    again.set(name, lane);
    lane.keys.add(record.key);
  }
  const lives: KeyLife[] = [];
  for (const lane of again.values()) {
    for (const [key, life] of await livesOf(log, codec, lane)) {
      lanes.delete(`${lane.topic}/${lane.partition}/${key}`);
      lives.push(life);
    }
  }
  return [...[...lanes.values()].map((all) => lifeOf(all)), ...lives];
}

/** The events of a key in the order in which read models fold them, each after what it supersedes. */
export function ordered({ all, standing }: KeyLife): readonly OrderedEvent[] {
  const stands = new Set(standing);
  const gone = all.filter((event) => !stands.has(event));
  const told = new Set<string>();
  return standing.flatMap((event) => {
    const unit = unitOf(event);
    const before = told.has(unit) ? [] : gone.filter((other) => unitOf(other) === unit);
    told.add(unit);
    return [
      ...before.map((other): OrderedEvent => ({ event: other, supersededBy: event })),
      { event, supersededBy: undefined },
    ];
  });
}

/**
 * One order of the events of several keys: each key's own, as its rows came to be, and across keys by the time at which
 * their units were recorded. By that time alone a key's events could stand in another order than they were applied in:
 * what one feed told may be published before what another told earlier.
 *
 * @param toldAt when the unit of an event was recorded, epoch milliseconds.
 */
export function inTrailOrder(
  keys: readonly (readonly OrderedEvent[])[],
  toldAt: (event: PlacedEvent) => number,
): readonly OrderedEvent[] {
  const before = (left: PlacedEvent, right: PlacedEvent): boolean => {
    const [one, other] = [left.origin ?? left.position, right.origin ?? right.position];
    const order =
      toldAt(left) - toldAt(right) ||
      one.partition - other.partition ||
      one.offset - other.offset ||
      left.position.index - right.position.index ||
      (placeName(left) < placeName(right) ? -1 : 1);
    return order < 0;
  };
  const rest = keys.map((events) => ({ events, at: 0 })).filter(({ events }) => events.length > 0);
  const found: OrderedEvent[] = [];
  while (rest.length > 0) {
    let next = rest[0] as (typeof rest)[number];
    const head = ({ events, at }: typeof next) => events[at] as OrderedEvent;
    for (const one of rest) if (before(head(one).event, head(next).event)) next = one;
    found.push(head(next));
    next.at += 1;
    if (next.at === next.events.length) rest.splice(rest.indexOf(next), 1);
  }
  return found;
}
