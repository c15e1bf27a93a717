import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Positions } from "./positions.js";

const at = (partition: number, offset: number, index = 0, journal = "j") => ({
  journal,
  partition,
  offset,
  index,
  recordedAt: 0,
});

describe("positions", () => {
  it("let every event through once, in order, whatever stretches are sent again, also over restarts", () => {
    const stretch = fc.record({ back: fc.nat(10), ahead: fc.integer({ min: 1, max: 5 }), restart: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), stretch), { maxLength: 40 }), (sends) => {
        let positions = new Positions(null, "{}");
        const sent = [0, 0, 0];
        const seen: number[][] = [[], [], []];
        for (const [partition, { back, ahead, restart }] of sends) {
          const to = (sent[partition] ?? 0) + ahead;
          for (let event = Math.max(0, (sent[partition] ?? 0) - back); event < to; event++) {
            const position = at(partition, Math.floor(event / 2), event % 2);
            if (positions.take(position, `${partition}-${event}`)) seen[partition]?.push(event);
          }
          sent[partition] = to;
          if (restart) positions = new Positions(positions.journal, positions.stored());
        }
        expect(seen).toEqual(sent.map((count) => Array.from({ length: count }, (_, event) => event)));
      }),
    );
  });

  it("refuse another journal and a position that another event has", () => {
    const positions = new Positions(null, "{}");
    expect(positions.take(at(0, 5), "a")).toBe(true);
    expect(positions.take(at(0, 5), "a")).toBe(false);
    expect(() => positions.take(at(0, 5), "b")).toThrow("Two events claim");
    // An event that couldn't be decoded has no id: it may come again when it can.
    expect(positions.take(at(0, 6), null)).toBe(true);
    expect(positions.take(at(0, 6), "d")).toBe(false);
    expect(() => positions.take(at(0, 6, 0, "other"), "c")).toThrow(
      expect.objectContaining({ code: "TRIB_PROJECT_JOURNAL_UNKNOWN" }),
    );
    expect(() => new Positions("known", "{}").take(at(0, 6), "c")).toThrow(
      expect.objectContaining({ code: "TRIB_PROJECT_JOURNAL_UNKNOWN" }),
    );
  });
});
