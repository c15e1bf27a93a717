import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { notes } from "../testing/notes.js";
import { type AppendedChange, Changes } from "./changes.js";
import { layOut } from "./layout.js";
import { PendingRows } from "./pending-rows.js";

const rowOf = (offset: number, ordinal = 0): AppendedChange => ({ row: {}, offset, ordinal });

describe("rows that wait to be written", () => {
  it("lose those of an event and keep all others, also such as came since", () => {
    const offset = fc.integer({ min: 0, max: 6 });
    const step = fc.oneof(
      fc.record({ add: offset, rows: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ take: offset }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rows: AppendedChange[] = [];
        const pending = new PendingRows(rows);
        let wanted: AppendedChange[] = [];
        for (const one of steps) {
          if ("add" in one) {
            for (let ordinal = 0; ordinal < one.rows; ordinal++) {
              const row = rowOf(one.add, ordinal);
              rows.push(row);
              wanted.push(row);
            }
          } else {
            const there = wanted.some((row) => row.offset === one.take);
            wanted = wanted.filter((row) => row.offset !== one.take);
            expect(pending.take(one.take)).toBe(there);
          }
        }
        expect(new Set(rows)).toEqual(new Set(wanted));
        expect(rows).toHaveLength(wanted.length);
      }),
    );
  });

  it("may be more than a call takes arguments, and go event by event without a look at all of them", () => {
    const layout = layOut(notes);
    const table = layout.tables.findIndex(({ kind }) => kind === "appended");
    const changes = new Changes(layout);
    const count = 300_000;
    for (let offset = 0; offset < count; offset++) changes.appended[table]?.push(rowOf(offset));
    const from = performance.now();
    for (let offset = 0; offset < count; offset += 3) {
      changes.book({ sums: [], appended: [], withdrawn: [{ table, offset }] });
    }
    expect(changes.appended[table]).toHaveLength((2 * count) / 3);
    expect(changes.withdrawn[table]?.size).toBe(0);
    expect(performance.now() - from).toBeLessThan(10_000);
  });
});
