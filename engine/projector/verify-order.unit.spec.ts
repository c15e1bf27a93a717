import fc from "fast-check";
import { expect, it } from "vitest";
import type { LaneEvent } from "./events.js";
import { withEvent } from "./origins.js";
import { type Standing, standingAfter } from "./verify-order.js";

/** Units of two journal partitions, translated again at any time, also late, in several events, some of them refused. */
const told = fc.record({
  partition: fc.nat({ max: 1 }),
  unit: fc.integer({ min: 1, max: 4 }),
  generation: fc.nat({ max: 3 }),
  isRefused: fc.integer({ min: 0, max: 4 }).map((chance) => chance === 0),
});

it("the order of origins that verify has of its own is the lanes' one", () => {
  fc.assert(
    fc.property(fc.array(told, { maxLength: 14 }), (all) => {
      const events = all.map(({ partition, unit, generation, isRefused }, offset) => {
        const position = { partition, offset: generation === 0 ? unit : 10 + offset };
        const origin = generation === 0 ? undefined : { partition, offset: unit, generation };
        return { offset, position, origin, ...(isRefused ? { refused: {} } : {}) };
      }) as unknown as LaneEvent[];
      const lanes = events.reduce<readonly LaneEvent[]>(withEvent, []);
      const own = events.reduce<readonly Standing[]>(
        (standing, event) => standingAfter(standing, { event, isRefused: event.refused !== undefined }),
        [],
      );
      expect(own.map(({ event }) => event.offset)).toEqual(lanes.map(({ offset }) => offset));
    }),
    { numRuns: 2_000 },
  );
});
