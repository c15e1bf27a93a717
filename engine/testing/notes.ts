import { expect } from "vitest";
import type { AnyProjection, Table } from "../projector/definition.js";
import {
  appended,
  integer,
  money,
  park,
  projection,
  restricted,
  summed,
  table,
  text,
  uuid,
} from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import { PureFold } from "../projector/pure.js";
import { readVersions } from "../projector/read-table.js";
import type { ProjectionBench } from "./projection-bench.js";

export const topic = "health.visit.events";
export const keyOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

/** What the made-up events say, in a field that a real event has. */
export interface Note {
  readonly act: "set" | "delete" | "line" | "park" | "throw" | "overflow" | "long";
  readonly value: string;
}
export const noteOf = (event: { readonly facility: string }) => JSON.parse(event.facility) as Note;

export const notes = projection({
  name: "notes",
  version: 1,
  tables: {
    notes: table({
      comment: "The last note.",
      key: ["visit_id"],
      history: true,
      columns: { visit_id: uuid("Visit."), note: text("Note."), times: integer("How often."), paid: money("Paid.") },
    }),
    note_lines: table({
      comment: "Lines.",
      key: ["visit_id", "line"],
      history: true,
      columns: { visit_id: uuid("Visit."), line: text("Line."), times: integer("How often.") },
    }),
    acts: summed({
      comment: "Acts.",
      key: ["act"],
      columns: { act: text("Act."), events: integer("Events."), cents: money("Cents.") },
    }),
    history: appended({ comment: "All.", columns: { visit_id: uuid("Visit."), act: text("Act.") } }),
  },
  fold: {
    VisitUpdated: ({ event, key, tables }) => {
      const { act, value } = noteOf(event);
      tables.acts.add({ act }, { events: 1, cents: 101 });
      tables.history.append({ visit_id: key, act });
      const row = tables.notes.get();
      const times = Number(row?.times ?? 0) + 1;
      if (act === "set" || act === "long") tables.notes.put({ note: value, times, paid: times * 10 });
      if (act === "delete") tables.notes.delete();
      if (act === "line") {
        const line = tables.note_lines.get({ line: value });
        tables.note_lines.put({ line: value, times: Number(line?.times ?? 0) + 1 });
        if (tables.note_lines.all().length > 2) tables.note_lines.delete({ line: value });
      }
      if (act === "overflow") tables.notes.put({ note: value, times: 2 ** 31 });
      if (act === "throw") throw new Error(`secret ${value}`);
      if (act === "park") return park("told to");
      return undefined;
    },
  },
}) as AnyProjection;

let offset = 0;
export function note(key: number, act: Note["act"], value = "x", partition = 0): FoldInput {
  offset++;
  return {
    type: "VisitUpdated",
    key: keyOf(key),
    event: { meta: { id: `event-${offset}` }, facility: JSON.stringify({ act, value }) },
    sealed: null,
    position: { journal: "j", partition: 0, offset: 0, index: 0, recordedAt: 0 },
    source: { topic, partition, offset: 0 },
  };
}

let unit = 0;
/** Gives events the places of units as they are appended. */
export const published = (events: readonly FoldInput[]) =>
  events.map((event) => {
    unit++;
    return { ...event, position: { ...event.position, offset: unit, recordedAt: 1_700_000_000_000 + unit } };
  });

export function mixed(count: number, keys = 7): FoldInput[] {
  const acts: Note["act"][] = ["set", "line", "set", "delete", "line", "line"];
  const values = ["a", 'quote " and \\ back', "{brace,NULL}", "", "NULL", "new\nline", "é😀"];
  return Array.from({ length: count }, (_, index) =>
    note(index % keys, acts[(index * 5) % 6] as Note["act"], values[(index * 3) % 7] as string, (index % keys) % 2),
  );
}

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

export async function expectPure(
  bench: ProjectionBench,
  inputs: readonly FoldInput[],
  undecodable: (input: FoldInput) => boolean = () => false,
) {
  const pure = new PureFold(notes);
  for (const input of inputs) {
    const why = { code: "TRIB_PROJECT_EVENT_UNDECODABLE" as const, reason: "" };
    pure.apply(undecodable(input) ? { ...input, undecodable: why } : input);
  }
  for (const { name, kind } of bench.layout.tables) {
    const built = await bench.rows(name);
    const wanted = pure.rows(name).map(({ row, source }) => ({
      row: Object.fromEntries(Object.keys(built[0]?.row ?? row).map((column) => [column, row[column]])),
      source: source && (kind === "keyed" ? source : { ...source, recordedAt: 0 }),
    }));
    expect(sorted(built), name).toEqual(sorted(wanted));
  }
  for (const table of bench.layout.tables) {
    const built = await readVersions(bench.pool, bench.build, table);
    const wanted = pure.versions(table.name).map(({ row, removed, occurredAt, recordedAt, offset }) => ({
      ...row,
      event_occurred_at: occurredAt,
      recorded_at: recordedAt,
      removed,
      source_offset: offset,
    }));
    expect(sorted(built), `versions of ${table.name}`).toEqual(sorted(wanted));
  }
  return pure;
}

/** With a table derived from another, which whoever builds has to make as well. */
export const derivedNotes: AnyProjection = {
  ...notes,
  derived: {
    noted: {
      comment: "How many visits have a note.",
      key: ["what"],
      columns: { what: { kind: "text", comment: "What." }, visits: { kind: "integer", comment: "Visits." } },
      from: ["notes"],
      derive: ({ notes: rows }) => [{ what: "note", visits: rows?.length ?? 0 }],
    },
  },
};

/** With a column that identifies a person. */
export const namedNotes: AnyProjection = {
  ...notes,
  tables: {
    ...notes.tables,
    notes: {
      ...(notes.tables.notes as Table),
      columns: { ...notes.tables.notes?.columns, name: restricted(text("Name.")) },
    },
  },
};
