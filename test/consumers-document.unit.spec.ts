import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type FoldContext,
  instant,
  integer,
  oneOf,
  park,
  projection,
  summed,
  table,
  text,
  uuid,
} from "../engine/projector/definition.js";
import { repositoryRoot } from "../engine/service/root.js";
import { recorded } from "../engine/testing/events.js";
import { foldAll, foldWithParked } from "../engine/testing/fold.js";

const document = readFileSync(join(repositoryRoot, "docs/consumers.md"), "utf8");
const source = readFileSync(join(repositoryRoot, "test/consumers-document.unit.spec.ts"), "utf8");

// #region tables
const tables = {
  stays: table({
    comment: "One row a stay: a visit that began.",
    key: ["visit_id"],
    columns: {
      visit_id: uuid("Surrogate id of the visit."),
      facility: text("Sending facility."),
      status: oneOf(["begun", "ended"], "Whether the patient has left."),
      started_at: instant("When it began, by the sender's clock."),
      nights: integer("Nights until the end; null while it goes on."),
    },
  }),
  departures: summed({
    comment: "Stays that ended, by facility.",
    key: ["facility"],
    columns: { facility: text("Sending facility."), stays: integer("How many.") },
  }),
} as const;
// #endregion tables

// #region fold
const day = 86_400_000;

const stays = projection({
  name: "stays",
  version: 1,
  tables,
  fold: {
    VisitStarted({ event, tables: { stays } }) {
      stays.put({ facility: event.facility, status: "begun", started_at: event.meta.time });
    },
    VisitEnded({ event, tables: { stays, departures } }: FoldContext<typeof tables, "VisitEnded">) {
      const stay = stays.get();
      if (!stay) return park("a stay that never began has ended");
      const nights = Math.floor(event.meta.time / day) - Math.floor(Number(stay.started_at) / day);
      if (stay.status !== "ended") departures.add({ facility: event.facility }, { stays: 1 });
      stays.put({ ...stay, status: "ended", nights });
      return undefined;
    },
  },
});
// #endregion fold

const visit = "00000000-0000-4000-8000-000000000001";
const fields = { facility: "NORTH", authority: "NORTH" };

describe("docs/consumers.md", () => {
  // #region spec
  it("given a stay over two nights, when it ended, then the nights and the departure are counted", () => {
    const events = recorded([
      { type: "VisitStarted", key: visit, time: Date.UTC(2026, 0, 5, 22), fields },
      { type: "VisitEnded", key: visit, time: Date.UTC(2026, 0, 7, 9), fields },
    ]);
    const folded = foldAll(stays, events);
    expect(folded.stays).toMatchObject([{ visit_id: visit, facility: "NORTH", status: "ended", nights: 2 }]);
    expect(folded.departures).toMatchObject([{ facility: "NORTH", stays: 1 }]);
  });
  // #endregion spec

  it("parks what it says is parked", () => {
    const { parked, tables: rows } = foldWithParked(stays, recorded([{ type: "VisitEnded", key: visit, fields }]));
    expect(parked).toMatchObject([{ key: visit }]);
    expect(rows.stays).toEqual([]);
  });

  const blocks = [...document.matchAll(/<!-- region: (\w+) -->\n```ts\n([\s\S]*?)```/g)];

  it("marks every block of TypeScript", () => {
    expect(blocks.length).toBe(document.match(/^```ts$/gm)?.length);
    expect(blocks.length).toBe(3);
  });

  it.each(blocks.map(([, name = "", code = ""]) => ({ name, code })))(
    "shows the region $name as it runs here",
    ({ name, code }) => {
      const region = source.split(`// #region ${name}\n`)[1]?.split(`// #endregion ${name}`)[0] ?? "";
      const lines = region.trimEnd().split("\n");
      const margin = /^ */.exec(lines[0] ?? "")?.[0].length ?? 0;
      expect(code.trimEnd()).toBe(lines.map((line) => line.slice(margin)).join("\n"));
    },
  );

  it("links to what is there", () => {
    const links = [...document.matchAll(/\]\(([^)#]+)/g)].map(([, path = ""]) => join(repositoryRoot, "docs", path));
    expect(links.length).toBeGreaterThan(2);
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
  });
});
