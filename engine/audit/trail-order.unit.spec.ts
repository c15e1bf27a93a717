import { describe, expect, it } from "vitest";
import { lifeOf, type PlacedEvent } from "./placed-event.js";
import { inTrailOrder, ordered } from "./trail-order.js";

/** An event of a key, from an entry of a journal partition, recorded then. */
function event(
  key: string,
  offset: number,
  position: readonly [partition: number, offset: number, recordedAt: number],
  origin?: PlacedEvent["origin"],
): PlacedEvent {
  const [partition, entry, recordedAt] = position;
  const record = { offset, timestamp: recordedAt, key, value: null, headers: {} };
  return {
    ...{ topic: "health.claim.events", partition: 0, offset, record, origin, type: "ClaimSubmitted" },
    position: { journal: "j", partition, offset: entry, index: 0, recordedAt },
    event: { meta: { id: `${key} ${offset}`, source: "", time: 0 } },
  };
}
const told = (...keys: (readonly PlacedEvent[])[]) =>
  inTrailOrder(
    keys.map((events) => ordered(lifeOf(events))),
    ({ position, origin }) => (origin ? origin.offset : position.recordedAt),
  ).map(({ event: { event: each }, supersededBy }) =>
    supersededBy ? `${each.meta.id} (${supersededBy.event.meta.id})` : each.meta.id,
  );

describe("the order of a trail", () => {
  it("is the one in which a claim's row came to be, also where the payment was recorded before the claim", () => {
    const submitted = event("claim", 5, [1, 40, 1_001]);
    const paid = event("claim", 6, [2, 7, 1_000]);
    const remittance = event("remittance", 3, [2, 7, 1_000]);
    expect(told([submitted, paid], [remittance])).toEqual(["remittance 3", "claim 5", "claim 6"]);
  });

  it("is across keys that of their units, a unit translated again in its own place after what it superseded", () => {
    const [january, february] = [event("one", 0, [0, 10, 10]), event("one", 1, [0, 20, 20])];
    const again = event("one", 2, [0, 90, 90], { partition: 0, offset: 10, generation: 1 });
    const other = event("two", 3, [0, 15, 15]);
    expect(told([january, february, again], [other])).toEqual(["one 0 (one 2)", "one 2", "two 3", "one 1"]);
    // Where Postgres refused what the unit says now, it stands where it came, and supersedes nothing.
    const { standing } = lifeOf([january, february, again], new Set(["health.claim.events/0/2"]));
    expect(standing).toEqual([january, february, again]);
  });
});
