import { describe, expect, it } from "vitest";
import {
  type AnyProjection,
  boolean,
  integer,
  projection,
  restricted,
  summed,
  table,
  text,
  uuid,
} from "./definition.js";
import { validateProjection } from "./validate.js";

const id = uuid("Id.");
const right: Parameters<typeof projection>[0] = {
  name: "right",
  version: 1,
  tables: { rows: table({ comment: "Rows.", key: ["id"], columns: { id, size: integer("Size.") } }) },
  fold: { VisitStarted: () => undefined },
};
const wrong = (change: object): AnyProjection => ({ ...projection(right), ...change });
const rows = (columns: object, options: object = {}) =>
  wrong({ tables: { rows: table({ comment: "Rows.", key: ["id"], columns: { id, ...columns }, ...options }) } });
const derived = (change: object) =>
  wrong({
    derived: {
      kin: { comment: "Kin.", key: ["id"], columns: { id }, from: ["rows"], derive: () => [], ...change },
    },
  });

describe("a definition", () => {
  it("that is right passes", () => {
    expect(() => validateProjection(projection(right))).not.toThrow();
  });

  it.each<[string, AnyProjection]>([
    ["right.rows.recorded_at: the engine adds", rows({ recorded_at: integer("x") })],
    ["right.rows.source_offset: the engine adds", rows({ source_offset: integer("x") })],
    ["right.rows.other: is named in the key and is not a column", rows({}, { key: ["id", "other"] })],
    [
      "right.rows.name: a key column can't be restricted",
      rows({ name: restricted(text("x")) }, { key: ["id", "name"] }),
    ],
    ["right.rows.Name: the name is not in lower snake case", rows({ Name: text("x") })],
    [`right.rows.${"n".repeat(64)}: the name is longer than 63 bytes`, rows({ ["n".repeat(64)]: text("x") })],
    ["right.rows.size: is filled with the event's key", rows({ size: integer("x") }, { key: ["size"] })],
    ["right.rows.size: has no comment", rows({ size: integer(" ") })],
    [
      "right.rows.flag: a boolean column can't be added up",
      wrong({ tables: { rows: summed({ comment: "x", key: ["id"], columns: { id, flag: boolean("x") } }) } }),
    ],
    [
      "right.rows.size: sealed content never decides a sum",
      wrong({
        tables: { rows: summed({ comment: "x", key: ["id"], columns: { id, size: restricted(integer("x")) } }) },
      }),
    ],
    [
      "has a keyed table, so its events must be of one topic",
      wrong({ fold: { VisitStarted: () => undefined, PatientRegistered: () => undefined } }),
    ],
    ["right: folds VisitDreamt, which is no event type", wrong({ fold: { VisitDreamt: () => undefined } })],
    ["right.kin: is derived from none, which is no keyed table", derived({ from: ["none"] })],
    ["right.kin: overlays none", derived({ overlays: "none" })],
    ["right.kin.size: is text, and integer in rows", derived({ overlays: "rows", columns: { id, size: text("x") } })],
    [
      "right.rows: a table of this name has a view",
      wrong({ views: { rows: { comment: "x", sql: "SELECT 1", columns: { id: "x" } } } }),
    ],
    ["the version is a whole number", wrong({ version: 0 })],
  ])("is refused: %s", (message, definition) => {
    expect(() => validateProjection(definition)).toThrow(message);
  });

  it("tells every mistake at once", () => {
    expect(() => validateProjection(wrong({ version: 0, fold: {} }))).toThrow(/version.*folds no event/);
  });
});
