import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "./database.js";
import { given } from "./given.js";
import { keyOf, note, notes, published } from "./notes.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});

describe("given, when, then", () => {
  it.each([1, 2])("tells rows and parked keys, events coming %i times", async (numberOfTimes) => {
    const [first, ...next] = published([note(1, "set", "a"), note(1, "set", "b"), note(2, "park"), note(2, "set")]);
    const then = given(notes, database.pool, [first!]).when(next, { numberOfTimes });
    await then.thenRows({
      notes: [{ visit_id: keyOf(1), note: "b", times: 2 }],
      acts: [{ act: "set", events: 2, cents: 202 }],
      note_lines: [],
    });
    await then.thenParked([{ key: keyOf(2), code: "TRIB_PROJECT_FOLD_PARKED" }]);
  });

  it("fails when a row is not as said", async () => {
    const then = given(notes, database.pool).when(published([note(1, "set", "a")]));
    await expect(then.thenRows({ notes: [{ note: "other" }] })).rejects.toThrow();
    await expect(then.thenRows({ notes: [] })).rejects.toThrow();
    await expect(then.thenParked([{ key: keyOf(1), code: "x" }])).rejects.toThrow();
  });
});
