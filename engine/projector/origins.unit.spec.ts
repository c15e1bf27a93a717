import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Placed, withEvent } from "./origins.js";

interface Event extends Placed {
  readonly name: string;
}
const received = (name: string, offset: number, partition = 0): Event => ({
  name,
  position: { partition, offset },
  origin: undefined,
});
const again = (name: string, offset: number, of: number, generation: number, partition = 0): Event => ({
  name,
  position: { partition, offset },
  origin: { partition, offset: of, generation },
});
const refused = (event: Event): Event => ({ ...event, refused: {} });
const order = (events: readonly Event[]) =>
  events
    .reduce<readonly Event[]>(withEvent, [])
    .map(({ name }) => name)
    .join(" ");

describe("the order of origins", () => {
  it("is the log's as long as no unit was translated again", () => {
    expect(order([received("a", 1), received("b", 1), received("c", 5, 1), received("d", 2)])).toBe("a b c d");
  });

  it("puts what was told again in the place of what it supersedes, not behind what came later", () => {
    expect(order([received("january", 1), received("february", 2), again("mended", 3, 1, 1)])).toBe("mended february");
    expect(
      order([
        received("a", 1),
        received("x", 1, 1),
        received("b", 1),
        received("c", 2),
        again("m", 3, 1, 1),
        again("n", 3, 1, 1),
      ]),
    ).toBe("m n x c");
  });

  it("lets the highest generation of a unit stand, whatever comes late", () => {
    expect(order([received("a", 1), again("two", 3, 1, 2), again("one", 4, 1, 1)])).toBe("two");
    expect(order([received("a", 1), again("one", 3, 1, 1), again("two", 4, 1, 2), received("b", 5)])).toBe("two b");
  });

  it("puts what a unit said nothing of before where the unit stands in its journal partition", () => {
    expect(order([received("before", 1), received("other", 9, 1), received("after", 3), again("new", 4, 2, 1)])).toBe(
      "before other new after",
    );
    expect(order([received("before", 1), again("new", 4, 2, 1)])).toBe("before new");
  });

  it("leaves what Postgres refused where it came, in the place of nothing, until something supersedes it", () => {
    const log = [received("a", 1), received("b", 2), refused(again("m", 3, 1, 1))];
    expect(order(log)).toBe("a b m");
    expect(order([...log, again("other", 4, 2, 1)])).toBe("a other m");
    expect(order([...log, again("rest", 3, 1, 1)])).toBe("a b m rest");
    expect(order([...log, again("rest", 3, 1, 1), again("n", 5, 1, 2)])).toBe("n b");
    expect(order([received("a", 1), received("c", 5), refused(again("m", 6, 3, 1)), again("n", 7, 3, 2)])).toBe(
      "a n c",
    );
  });

  it("is, within a journal partition, by unit, each with its last translation", () => {
    const told = fc.array(fc.record({ unit: fc.integer({ min: 1, max: 5 }), events: fc.integer({ min: 1, max: 2 }) }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(told, (translations) => {
        const generations = new Map<number, number>();
        const log: Event[] = [];
        for (let unit = 1; unit <= 5; unit++) log.push(received(`${unit}.0.0`, unit));
        for (const [number, { unit, events }] of translations.entries()) {
          const generation = (generations.get(unit) ?? 0) + 1;
          generations.set(unit, generation);
          for (let index = 0; index < events; index++) {
            log.push(again(`${unit}.${generation}.${index}`, 10 + number, unit, generation));
          }
        }
        const wanted = [1, 2, 3, 4, 5].flatMap((unit) => {
          const last = generations.get(unit) ?? 0;
          return log.map(({ name }) => name).filter((name) => name.startsWith(`${unit}.${last}.`));
        });
        expect(order(log)).toBe(wanted.join(" "));
      }),
    );
  });
});
