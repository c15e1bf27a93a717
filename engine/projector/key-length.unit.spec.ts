import { expect, it } from "vitest";
import { note } from "../testing/notes.js";
import { type AnyProjection, integer, projection, summed, table, text, uuid } from "./definition.js";
import { PureFold } from "./pure.js";

const pairs = projection({
  name: "pairs",
  version: 1,
  tables: {
    pairs: table({
      comment: "Pairs.",
      key: ["visit_id", "one", "other"],
      columns: { visit_id: uuid("Visit."), one: text("One."), other: text("Other.") },
    }),
    counts: summed({
      comment: "Counts.",
      key: ["one", "other"],
      columns: { one: text("One."), other: text("Other."), times: integer("How often.") },
    }),
  },
  fold: {
    VisitUpdated: ({ event, tables }) => {
      const { act, value } = JSON.parse(event.facility) as { act: string; value: string };
      if (act === "set") tables.pairs.put({ one: value, other: value });
      else tables.counts.add({ one: value, other: value }, { times: 1 });
      return undefined;
    },
  },
}) as AnyProjection;

it("a key of texts that no index holds together parks by itself, whatever else is in the batch", () => {
  const pure = new PureFold(pairs);
  const events = [note(1, "set", "é".repeat(500)), note(2, "set", "é".repeat(501)), note(3, "line", "x".repeat(1_001))];
  for (const event of events) pure.apply(event);
  expect(pure.parked.map(({ key, code, reason }) => [key, code, reason])).toEqual([
    [events[1]?.key, "TRIB_PROJECT_VALUE_INVALID", "pairs has a key longer than 2000 bytes"],
    [events[2]?.key, "TRIB_PROJECT_VALUE_INVALID", "counts has a key longer than 2000 bytes"],
  ]);
  expect(pure.rows("pairs")).toHaveLength(1);
});
