import type { AnyProjection, Column, EventType, Row, Table, TableKind } from "./definition.js";
import { type ValueProblem, valueCheck } from "./values.js";

/** A column with its name, as the hot path wants it: in an array, looked up once. */
export interface ColumnLayout {
  readonly name: string;
  readonly column: Column;
  readonly inKey: boolean;
  /** What is wrong with a value that is not null. */
  readonly problemOf: (value: unknown) => ValueProblem;
}

export interface TableLayout {
  readonly name: string;
  readonly index: number;
  readonly kind: TableKind;
  readonly definition: Table;
  /** All columns of the definition, in its order. */
  readonly columns: readonly ColumnLayout[];
  /** keyed: filled with the event's key. */
  readonly keyColumn: ColumnLayout | undefined;
  /** What a fold gives: for a keyed table all columns but the first of the key. */
  readonly given: readonly ColumnLayout[];
  /** Key columns a fold gives, in the order of the key. */
  readonly rest: readonly ColumnLayout[];
  /** Texts of a row's key, with the event's own key: what an index holds together. Empty where one alone is all. */
  readonly keyTexts: (key: string, row: Row) => readonly string[];
  /** keyed: what everybody may see. Sealed content decides none of it. */
  readonly clear: readonly ColumnLayout[];
  /** summed: the columns that are added up. */
  readonly sums: readonly ColumnLayout[];
  /** keyed, with `history`: where its versions are kept. */
  readonly history: HistoryLayout | undefined;
}

export interface HistoryLayout {
  readonly name: string;
  /** What of a row is kept, the rest of the key first: columns that everybody sees. */
  readonly columns: readonly ColumnLayout[];
}

/** Name of the table and the view of a table's versions. */
export const historyName = (table: string): string => `${table}_history`;

/** Whether versions keep a column. */
export const isKept = (column: Column): boolean => !column.hidden && !column.restricted;

/** A projection laid out for the engine. */
export interface ProjectionLayout {
  readonly definition: AnyProjection;
  readonly name: string;
  readonly tables: readonly TableLayout[];
  /** Indexes of the keyed tables in `tables`. */
  readonly keyed: readonly TableLayout[];
  readonly eventTypes: readonly EventType[];
  /** Whether any restricted column or table is kept, so that sealed content has to be opened. */
  readonly readsSealed: boolean;
}

const noTexts: readonly string[] = [];

function keyTextsOf(columns: readonly ColumnLayout[], own: ColumnLayout | undefined): TableLayout["keyTexts"] {
  const texts = columns.filter(({ column }) => column.kind === "text");
  if (texts.length < 2) return () => noTexts;
  return (key, row) => texts.map((column) => (column === own ? key : String(row[column.name])));
}

function layTable(name: string, index: number, definition: Table): TableLayout {
  const columns = Object.entries(definition.columns).map(([columnName, column]) => ({
    name: columnName,
    column,
    inKey: definition.key.includes(columnName),
    problemOf: valueCheck(column, definition.key.includes(columnName)),
  }));
  const keyColumns = definition.key.map((key) => columns.find((column) => column.name === key) as ColumnLayout);
  const keyColumn = definition.kind === "keyed" ? keyColumns[0] : undefined;
  const rest = keyColumns.filter((column) => column !== keyColumn);
  const kept = columns.filter(({ column, inKey }) => !inKey && isKept(column));
  return {
    name,
    index,
    kind: definition.kind,
    definition,
    columns,
    keyColumn,
    given: columns.filter((column) => column !== keyColumn),
    clear: columns.filter((column) => column !== keyColumn && (definition.restricted || !column.column.restricted)),
    rest,
    keyTexts: keyTextsOf(keyColumns, keyColumn),
    sums: definition.kind === "summed" ? columns.filter((column) => !column.inKey) : [],
    history: definition.history ? { name: historyName(name), columns: [...rest, ...kept] } : undefined,
  };
}

/** Lays out a definition that {@link validateProjection} has found right. */
export function layOut(definition: AnyProjection): ProjectionLayout {
  const tables = Object.entries(definition.tables).map(([name, table], index) => layTable(name, index, table));
  return {
    definition,
    name: definition.name,
    tables,
    keyed: tables.filter((table) => table.kind === "keyed"),
    eventTypes: Object.keys(definition.fold) as EventType[],
    readsSealed:
      definition.topic === undefined &&
      tables.some(
        (table) =>
          table.definition.restricted === true || table.columns.some(({ column }) => column.restricted === true),
      ),
  };
}
