import type { Build } from "./build.js";
import { getExpression, readValue } from "./columns.js";
import { bigint, boolean, type Column, type ColumnValue, type DerivedTable, instant, type Row } from "./definition.js";
import type { ChangeSource } from "./entity.js";
import type { TableLayout } from "./layout.js";
import { quoted } from "./names.js";

/** A row as it stands in a build, with the event that changed it last (keyed) or made it (appended). */
export interface BuiltRow {
  readonly row: Row;
  readonly source: ChangeSource | undefined;
}

interface RowReader {
  query(config: object): Promise<{ readonly rows: readonly (readonly (string | null)[])[] }>;
}

const asText = { getTypeParser: () => (text: string) => text };

async function selected(
  reader: RowReader,
  columns: readonly (readonly [string, Column])[],
  expressions: readonly string[],
  rest: string,
  values: readonly unknown[] = [],
): Promise<BuiltRow[]> {
  const { rows } = await reader.query({
    text: `SELECT ${expressions.join(", ")} ${rest}`,
    values,
    rowMode: "array",
    types: asText,
  });
  return rows.map((cells) => {
    const row: Record<string, ColumnValue> = {};
    columns.forEach(([name, column], index) => {
      row[name] = readValue(column, cells[index] ?? null);
    });
    const [recordedAt, partition, offset] = cells.slice(columns.length).map(Number);
    const source =
      recordedAt === undefined ? undefined : { recordedAt, partition: partition as number, offset: offset as number };
    return { row, source };
  });
}

/**
 * All rows of a table of a build, whole: restricted and hidden columns too, sums added up over their sources. In no order.
 * @param reader a pool, or a client inside a transaction; as a role that may read the build.
 */
export async function readTable(reader: RowReader, build: Build, table: TableLayout): Promise<BuiltRow[]> {
  const target = `FROM ${quoted(build.schema)}.${quoted(table.name)} t`;
  const columns = table.columns.map(({ name, column }) => [name, column] as const);
  const expressions = columns.map(([name, column]) => getExpression(column, name));
  if (table.kind === "summed") {
    const summed = table.columns.map(({ name, column, inKey }) => {
      if (inKey) return getExpression(column, name);
      return `(sum(t.${quoted(name)})${column.kind === "money" ? " * 100" : ""})::numeric(60)::text`;
    });
    return selected(
      reader,
      columns,
      summed,
      `${target} GROUP BY ${table.rest.map(({ name }) => quoted(name)).join(", ")}`,
    );
  }
  const recordedAt = table.kind === "keyed" ? "(extract(epoch from t.recorded_at) * 1000)::bigint" : "0";
  return selected(reader, columns, [...expressions, recordedAt, "t.source_partition", "t.source_offset"], target);
}

/**
 * Versions of the rows of a table that keeps them, each as one row, in no order.
 * @param where of the table `t`; default all.
 */
export async function readVersions(
  reader: RowReader,
  build: Build,
  table: TableLayout,
  where: { readonly text: string; readonly values: readonly unknown[] } = { text: "", values: [] },
): Promise<Row[]> {
  const { history, keyColumn } = table;
  if (!history || !keyColumn) return [];
  const columns = [keyColumn, ...history.columns, ...versionColumns].map(({ name, column }) => [name, column] as const);
  const expressions = columns.map(([name, column]) => getExpression(column, name));
  const from = `FROM ${quoted(build.schema)}.${quoted(history.name)} t ${where.text}`;
  const rows = await selected(reader, columns, expressions, from, where.values);
  return rows.map(({ row }) => row);
}

/** What a version has beside the row's columns. */
export const versionColumns = [
  { name: "event_occurred_at", column: instant("") },
  { name: "recorded_at", column: instant("") },
  { name: "removed", column: boolean("") },
  { name: "source_offset", column: bigint("") },
] as const;

/** All rows of a derived table, in no order. */
export async function readDerived(
  reader: RowReader,
  build: Build,
  name: string,
  derived: DerivedTable,
): Promise<Row[]> {
  const columns = Object.entries(derived.columns);
  const expressions = columns.map(([column, definition]) => getExpression(definition, column));
  const rows = await selected(reader, columns, expressions, `FROM ${quoted(build.schema)}.${quoted(name)} t`);
  return rows.map(({ row }) => row);
}
