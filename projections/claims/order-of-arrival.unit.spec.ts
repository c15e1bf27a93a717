import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Row } from "../../engine/projector/definition.js";
import type { FoldInput } from "../../engine/projector/fold.js";
import { anyHistory } from "../../engine/testing/any-history.js";
import { foldWithParked } from "../../engine/testing/fold.js";
import claims from "./projection.js";

/** The same events as if they had come in this order: each has the place in the journal of its turn. */
const arriving = (events: readonly FoldInput[]): FoldInput[] => {
  const ends = new Map<string, number>();
  return events.map((event, index) => {
    const lane = `${event.source.topic}/${event.source.partition}`;
    const offset = ends.get(lane) ?? 0;
    ends.set(lane, offset + 1);
    return {
      ...event,
      position: { ...event.position, partition: 0, offset: index + 1 },
      source: { ...event.source, offset },
    };
  });
};

const rowsOf = (events: readonly FoldInput[]): Record<string, readonly Row[]> | undefined => {
  const { tables, parked } = foldWithParked(claims, arriving(events));
  // Which event is the one that can't be applied depends on what came before it, and the order of keys on the first.
  return parked.length > 0 ? undefined : { ...tables };
};

const sorted = (tables: Record<string, readonly Row[]>) =>
  Object.fromEntries(
    Object.entries(tables).map(([name, rows]) => [name, rows.map((row) => JSON.stringify(row)).sort()]),
  );

describe("claims and remittances", () => {
  it("have the same rows in whatever order their facts arrive", () => {
    const sameTime = fc.constantFrom(1_760_000_000_000, 1_760_086_400_000);
    const history = fc
      .tuple(anyHistory(claims), fc.array(sameTime, { minLength: 12, maxLength: 12 }))
      .map(([events, times]) =>
        events.map((event, index): FoldInput => {
          const { meta, ...fields } = event.event as { readonly meta: object };
          const time = times[index] as number;
          // Clocks that agree are what the order of arrival would decide.
          const content = { ...fields, ...("paidAt" in fields ? { paidAt: time } : {}) };
          // Facts of one hash say the same, as far as read models go by it.
          const hash = "contentHash" in content ? { contentHash: JSON.stringify({ ...content, contentHash: "" }) } : {};
          const told = { ...content, ...hash, meta: { ...meta, time } };
          return { ...event, sealed: null, event: told as unknown as FoldInput["event"] };
        }),
      );
    const orders = fc.property(history, fc.infiniteStream(fc.nat(1_000)), (events, dice) => {
      const shuffled = events
        .map((event) => ({ event, turn: dice.next().value as number }))
        .sort((left, right) => left.turn - right.turn)
        .map(({ event }) => event);
      const [one, other] = [rowsOf(events), rowsOf(shuffled)];
      fc.pre(one !== undefined && other !== undefined);
      expect(sorted(other as Record<string, readonly Row[]>)).toEqual(sorted(one as Record<string, readonly Row[]>));
    });
    fc.assert(orders, { numRuns: 150 });
  });
});
