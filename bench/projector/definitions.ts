import {
  type AnyProjection,
  bigint,
  type Column,
  type FoldContext,
  instant,
  integer,
  type KeyedRows,
  type Row,
  type Table,
} from "../../engine/projector/definition.js";
import { type ConsumerDefinition, consumer } from "../../engine/service/consumer.js";
import patients from "../../projections/patients/projection.js";
import { contender } from "../contender/visits.js";
import { visitTopic } from "./visit-event.js";

type AnyContext = FoldContext<Readonly<Record<string, Table>>>;
type AnyFold = (context: AnyContext) => unknown;
type Columns = Readonly<Record<string, Column>>;

/**
 * The same read model under another name and with other columns: every row that a fold puts goes through `through`, also
 * where that changes nothing, so that variants differ in nothing but what they are compared for. All tables are keyed.
 * What is derived is left out: it is kept beside the lanes, not by them. Nothing of it is in a view.
 */
function variant(
  original: AnyProjection,
  name: string,
  columnsOf: (columns: Columns) => Columns,
  through: (row: Row, context: AnyContext) => Row,
): AnyProjection {
  const known = new WeakMap<object, Readonly<Record<string, KeyedRows>>>();
  let current: AnyContext | undefined;
  const put = (rows: KeyedRows) => (row: Row) => rows.put(through(row, current as AnyContext));
  const tablesOf = (given: AnyContext["tables"]) => {
    let made = known.get(given);
    if (!made) {
      const entries = Object.entries(given as unknown as Readonly<Record<string, KeyedRows>>);
      made = Object.fromEntries(
        entries.map(([table, rows]) => {
          const passed = { get: rows.get.bind(rows), all: rows.all.bind(rows), delete: rows.delete.bind(rows) };
          return [table, { ...passed, put: put(rows) }];
        }),
      );
      known.set(given, made);
    }
    return made;
  };
  const wrapped = (fold: AnyFold) => (context: AnyContext) => {
    current = context;
    return fold({ ...context, tables: tablesOf(context.tables) as unknown as AnyContext["tables"] });
  };
  const folds = Object.entries(original.fold).map(([type, fold]) => [type, wrapped(fold as unknown as AnyFold)]);
  const tables = Object.entries(original.tables).map(([table, definition]) => [
    table,
    { ...definition, hidden: true, columns: columnsOf(definition.columns) },
  ]);
  const { derived: _derived, views: _views, ...rest } = original;
  return { ...rest, name, tables: Object.fromEntries(tables), fold: Object.fromEntries(folds) };
}

const isClear = ([, { restricted }]: [string, Column]) => !restricted;
const clearColumns = (columns: Columns) => Object.fromEntries(Object.entries(columns).filter(isClear));
const restrictedNames = new Set(
  Object.values(patients.tables).flatMap(({ columns }) =>
    Object.entries(columns).flatMap(([name, { restricted }]) => (restricted ? [name] : [])),
  ),
);
const withoutRestricted = (row: Row) => {
  const kept: Record<string, Row[string]> = {};
  for (const name in row) if (!restrictedNames.has(name)) kept[name] = row[name] ?? null;
  return kept;
};

/** The read model of patients with its restricted columns, and without them. */
const sealed = variant(
  patients,
  "bench_sealed",
  (columns) => columns,
  (row) => ({ ...row }),
);
const clear = variant(patients, "bench_clear", clearColumns, withoutRestricted);

/** The engine's own columns of where a row comes from can't be left out; how much three more of their kind cost tells. */
const lineage = {
  again_recorded_at: instant("As recorded_at."),
  again_partition: integer("As source_partition."),
  again_offset: bigint("As source_offset."),
};
const visits = contender(visitTopic).project[0] as AnyProjection;
const plain = variant(
  visits,
  "bench_plain",
  (columns) => columns,
  (row) => ({ ...row }),
);
const traced = variant(
  visits,
  "bench_traced",
  (columns) => ({ ...columns, ...lineage }),
  (row, { position, source }) => ({
    ...row,
    again_recorded_at: position.recordedAt,
    again_partition: source.partition,
    again_offset: source.offset,
  }),
);

/** Consumers that only the bench has, by their names. */
export const benchConsumers: Readonly<
  Record<"bench" | "bench-plain" | "bench-traced" | "bench-sealed" | "bench-clear", ConsumerDefinition>
> = {
  bench: contender(visitTopic),
  "bench-plain": consumer({ name: "bench-plain", project: [plain] }),
  "bench-traced": consumer({ name: "bench-traced", project: [traced] }),
  "bench-sealed": consumer({ name: "bench-sealed", project: [sealed] }),
  "bench-clear": consumer({ name: "bench-clear", project: [clear] }),
};
