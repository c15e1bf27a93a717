import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AnyProjection,
  type FoldContext,
  instant,
  integer,
  projection,
  restricted,
  type Table,
  table,
  text,
  uuid,
} from "../projector/definition.js";
import { projectionLaws } from "./projection-laws.js";

// What is found must not be a matter of chance here.
fc.configureGlobal({ seed: 1 });

const tables = {
  seen: table({
    comment: "One row a patient.",
    key: ["patient_id"],
    columns: {
      patient_id: uuid("Patient."),
      facility: text("Facility."),
      times: integer("How often."),
      at: instant("When."),
      family_name: restricted(text("Name.")),
    },
  }),
};

type Context = FoldContext<typeof tables, "PatientRegistered">;

const made = (fold: (context: Context) => undefined, changed: Readonly<Record<string, Table>> = tables) =>
  projection({
    name: "seen",
    version: 1,
    tables: changed as typeof tables,
    fold: { PatientRegistered: fold },
  }) as AnyProjection;

const times = ({ tables: { seen } }: Context) => Number(seen.get()?.times ?? 0) + 1;
const good = made((context) => {
  context.tables.seen.put({ facility: context.event.facility, times: times(context) });
});

/** @returns the laws that a projection breaks. */
function broken(definition: AnyProjection): string[] {
  return Object.entries(projectionLaws)
    .filter(([, holds]) => {
      try {
        holds(definition);
        return false;
      } catch {
        return true;
      }
    })
    .map(([law]) => law);
}

describe("the laws of projections", () => {
  it("let a good one pass", () => {
    expect(broken(good)).toEqual([]);
  });

  it("find a column that says nothing", () => {
    const mute = { seen: { ...tables.seen, columns: { ...tables.seen.columns, times: integer(" ") } } };
    expect(broken(made(() => undefined, mute))).toContain(
      "is a valid definition whose every column and view says what it is",
    );
  });

  it("find a fold that throws at what a schema allows", () => {
    const careless = made(({ event, tables: { seen } }) => {
      seen.put({ times: (event.identifiers[0] as { readonly type: string }).type.length });
    });
    expect(broken(careless)).toEqual(["parks, and never throws, whatever its schema allows"]);
  });

  it("find a fold that changes a row in place", () => {
    const inPlace = made((context) => {
      const row = context.tables.seen.get() as { times: number } | undefined;
      if (row) row.times += 1;
      else context.tables.seen.put({ times: 1 });
    });
    expect(broken(inPlace)).toEqual(["parks, and never throws, whatever its schema allows"]);
  });

  it("find sealed content that decides a clear column or a park", () => {
    const law = ["gives the same clear columns when nothing sealed can be opened"];
    const leaking = made(({ sealed, tables: { seen } }) => {
      seen.put({ facility: sealed?.familyName === undefined ? "unknown" : "known" });
    });
    expect(broken(leaking)).toEqual(law);
    // A name with a NUL is refused by the column, and with it the whole event.
    const unguarded = made((context) => {
      context.tables.seen.put({ times: times(context), family_name: context.sealed?.familyName ?? null });
    });
    expect(broken(unguarded)).toEqual(law);
  });

  it("find what a fold remembers beside its rows", () => {
    let all = 0;
    const remembering = made(({ tables: { seen } }) => {
      all += 1;
      seen.put({ times: all });
    });
    expect(broken(remembering)).toEqual([
      "gives the same rows when events come twice",
      "gives the same clear columns when nothing sealed can be opened",
      "gives the same rows however partitions interleave",
    ]);
  });

  it("find rows that follow the order of partitions", () => {
    let last = "";
    const following = made((context) => {
      if (context.source.offset === 0 && context.position.offset === 1) last = "";
      context.tables.seen.put({ facility: last, times: times(context) });
      last = context.key;
    });
    expect(broken(following)).toContain("gives the same rows however partitions interleave");
  });
});
