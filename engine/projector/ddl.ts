import { columnType } from "./columns.js";
import type { AnyProjection, Table } from "./definition.js";
import { historyName, isKept } from "./layout.js";
import { quoted } from "./names.js";

/** A physical table: what its columns are called and typed, and what identifies a row. */
export interface PhysicalTable {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly required: boolean }[];
  readonly key: readonly string[];
  readonly indexed: readonly { readonly name: string; readonly list: boolean }[];
}

const sourceOffset = { name: "source_offset", type: "bigint", required: true };
const sourcePartition = { name: "source_partition", type: "integer", required: true };
const sourceTopic = { name: "source_topic", type: "text", required: true };

function physicalTable(kind: Table["kind"] | "derived", table: Pick<Table, "key" | "columns">): PhysicalTable {
  const own = Object.entries(table.columns).map(([name, column]) => ({
    name,
    // Sums grow without limit: only their increments have one.
    type: kind === "summed" && !table.key.includes(name) ? "numeric" : columnType(column),
    required: table.key.includes(name) || kind === "summed",
  }));
  const indexed = Object.entries(table.columns)
    .filter(([, column]) => column.indexed)
    .map(([name, column]) => ({ name, list: column.kind.endsWith("[]") }));
  if (kind === "derived") return { columns: own, key: table.key, indexed };
  if (kind === "keyed") {
    const recordedAt = { name: "recorded_at", type: "timestamptz", required: true };
    return { columns: [...own, recordedAt, sourcePartition, sourceOffset], key: table.key, indexed };
  }
  const source = kind === "summed" ? [sourceTopic, sourcePartition] : [sourceTopic, sourcePartition, sourceOffset];
  const ordinal = kind === "appended" ? [{ name: "source_ordinal", type: "integer", required: true }] : [];
  const added = [...source, ...ordinal];
  return { columns: [...own, ...added], key: [...table.key, ...added.map(({ name }) => name)], indexed };
}

/** Versions are only added: the range of each follows from the next one of its row. */
function historyTable({ key, columns }: Table): PhysicalTable {
  const own = Object.entries(columns)
    .filter(([, column]) => isKept(column))
    .map(([name, column]) => ({ name, type: columnType(column), required: key.includes(name) }));
  const added = [
    { name: "event_occurred_at", type: "timestamptz", required: false },
    { name: "recorded_at", type: "timestamptz", required: true },
    { name: "removed", type: "boolean", required: true },
    sourcePartition,
    sourceOffset,
  ];
  return { columns: [...own, ...added], key: [...key, sourceOffset.name], indexed: [] };
}

/** All physical tables of a projection by name, versions and derived ones included. */
export function physicalTables(projection: AnyProjection): ReadonlyMap<string, PhysicalTable> {
  return new Map([
    ...Object.entries(projection.tables).map(([name, table]) => [name, physicalTable(table.kind, table)] as const),
    ...Object.entries(projection.tables)
      .filter(([, table]) => table.history)
      .map(([name, table]) => [historyName(name), historyTable(table)] as const),
    ...Object.entries(projection.derived ?? {}).map(
      ([name, table]) => [name, physicalTable("derived", table)] as const,
    ),
  ]);
}

/** Statements that make the tables of a build in its own schema, without keys and indexes: see {@link indexStatements}. */
export function tableStatements(projection: AnyProjection, schema: string): string[] {
  const statements = [`CREATE SCHEMA ${quoted(schema)}`];
  for (const [name, table] of physicalTables(projection)) {
    const columns = table.columns.map(
      (column) => `${quoted(column.name)} ${column.type}${column.required ? " NOT NULL" : ""}`,
    );
    statements.push(`CREATE TABLE ${quoted(schema)}.${quoted(name)} (${columns.join(", ")})`);
  }
  return statements;
}

/** Statements that give the tables of a build their keys and indexes. */
export function indexStatements(projection: AnyProjection, schema: string): string[] {
  return [...physicalTables(projection)].flatMap(([name, { key, indexed }]) => {
    const target = `${quoted(schema)}.${quoted(name)}`;
    return [
      `ALTER TABLE ${target} ADD PRIMARY KEY (${key.map(quoted).join(", ")})`,
      ...indexed.map(
        ({ name: column, list }) => `CREATE INDEX ON ${target} ${list ? "USING gin " : ""}(${quoted(column)})`,
      ),
    ];
  });
}

/** What a rebuild is needed for when it changes: names, types and keys, never comments or views. */
export function layoutOf(projection: AnyProjection): string {
  const kinds = Object.entries(projection.tables).map(([name, { kind }]) => [name, kind]);
  return JSON.stringify([kinds, [...physicalTables(projection)]]);
}
