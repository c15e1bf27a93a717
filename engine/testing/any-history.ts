import fc from "fast-check";
import { type EventType, eventCatalog } from "../../schemas/events.generated.js";
import type { AnyProjection } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import { anyEvent, entityIds } from "./any-event.js";

const partitions = 2;
const firstRecorded = Date.UTC(2026, 0, 1);

/**
 * Any events that a projection folds, as the publisher would append them: a few entities in two partitions a topic, from
 * two feeds, in an order that keeps each partition's.
 */
export function anyHistory(projection: AnyProjection): fc.Arbitrary<readonly FoldInput[]> {
  const types = Object.keys(projection.fold) as EventType[];
  const told = fc.record({
    key: fc.constantFrom(...entityIds),
    feed: fc.nat(1),
    made: fc.oneof(...types.map(anyEvent)),
  });
  return fc.array(told, { minLength: 1, maxLength: 12 }).map((all) => {
    const ends = new Map<string, number>();
    return all.map(({ key, feed, made: { type, event, sealed } }, index): FoldInput => {
      const [topic] = eventCatalog[type].topics;
      const partition = entityIds.indexOf(key) % partitions;
      const lane = `${topic}/${partition}`;
      const offset = ends.get(lane) ?? 0;
      ends.set(lane, offset + 1);
      const { meta } = event as { readonly meta: object };
      return {
        type,
        key,
        event: { ...event, meta: { ...meta, id: `event-${index}`, subject: key } },
        sealed,
        position: {
          journal: "journal",
          partition: feed,
          offset: index + 1,
          index: 0,
          recordedAt: firstRecorded + index * 1000,
        },
        source: { topic, partition, offset },
      };
    });
  });
}

const laneOf = ({ source }: FoldInput) => `${source.topic}/${source.partition}`;

/** The same events with the partitions interleaved otherwise; `choose` picks the next of so many lanes. */
export function interleaved(history: readonly FoldInput[], choose: (lanes: number) => number): readonly FoldInput[] {
  const byLane = new Map<string, FoldInput[]>();
  for (const event of history) byLane.set(laneOf(event), [...(byLane.get(laneOf(event)) ?? []), event]);
  const lanes = [...byLane.values()];
  const order: FoldInput[] = [];
  while (lanes.length > 0) {
    const at = choose(lanes.length) % lanes.length;
    const lane = lanes[at] as FoldInput[];
    order.push(lane.shift() as FoldInput);
    if (lane.length === 0) lanes.splice(at, 1);
  }
  return order;
}
