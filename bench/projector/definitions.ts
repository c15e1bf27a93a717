import {
  type AnyProjection,
  bigint,
  type Column,
  type FoldContext,
  instant,
  integer,
  type KeyedRows,
  projectionOfOthers,
  type Row,
  type Table,
  table,
} from "../../engine/projector/definition.js";
import { type ConsumerDefinition, consumer } from "../../engine/service/consumer.js";
import patients from "../../projections/patients/projection.js";
import { contender } from "../contender/visits.js";
import { type VisitEvent, visitTopic } from "./visit-event.js";

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

const visits = contender(visitTopic).project[0] as AnyProjection;
const visitColumns = visits.tables.visits?.columns ?? {};
const visitTables = (columns: Columns) => ({
  visits: { ...table({ comment: "The last event of each visit.", key: ["visit_id"], columns }), hidden: true },
});
const plain: AnyProjection = { ...visits, name: "bench_plain", tables: visitTables(visitColumns) };

/** As plain, and every version of a row is kept. */
const kept: AnyProjection = {
  ...visits,
  name: "bench_kept",
  tables: {
    visits: {
      ...table({ comment: "The last event of each visit.", key: ["visit_id"], columns: visitColumns, history: true }),
      hidden: true,
    },
  },
};

/**
 * The engine's own columns of where a row comes from can't be left out; how much three more of their kind cost tells. The
 * row is written out, as the one of the original is: an object put together by spreading costs more than the columns.
 */
const traced: AnyProjection = projectionOfOthers<{ VisitEvent: VisitEvent }>()({
  name: "bench_traced",
  version: 1,
  topic: visitTopic,
  tables: visitTables({
    ...visitColumns,
    again_recorded_at: instant("As recorded_at."),
    again_partition: integer("As source_partition."),
    again_offset: bigint("As source_offset."),
  }),
  fold: {
    VisitEvent: ({ event, tables, position, source }) => {
      tables.visits.put({
        event_id: event.eventId,
        patient_id: event.patientId,
        type: event.type,
        status: event.status,
        ward: event.ward,
        facility: event.facility,
        occurred_at: event.occurredAt,
        sequence: event.sequence,
        charge_cents: event.chargeCents,
        again_recorded_at: position.recordedAt,
        again_partition: source.partition,
        again_offset: source.offset,
      });
      return undefined;
    },
  },
});

/** Consumers that only the bench has, by their names. */
export const benchConsumers: Readonly<
  Record<"bench" | "bench-plain" | "bench-kept" | "bench-traced" | "bench-sealed" | "bench-clear", ConsumerDefinition>
> = {
  bench: contender(visitTopic),
  "bench-plain": consumer({ name: "bench-plain", project: [plain] }),
  "bench-kept": consumer({ name: "bench-kept", project: [kept] }),
  "bench-traced": consumer({ name: "bench-traced", project: [traced] }),
  "bench-sealed": consumer({ name: "bench-sealed", project: [sealed] }),
  "bench-clear": consumer({ name: "bench-clear", project: [clear] }),
};
