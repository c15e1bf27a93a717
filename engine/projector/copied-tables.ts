import { type CopiedColumn, copyChunks } from "./binary-rows.js";
import type { Build } from "./build.js";
import type { AppendedChange, Changes, SummedChange } from "./changes.js";
import { fieldWriter } from "./columns.js";
import type { ColumnValue, Row } from "./definition.js";
import type { Slot } from "./entity.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { quoted } from "./names.js";
import type { HistoryChange } from "./row-version.js";
import { versionValue } from "./scope.js";

/** Rows of one table, ready to be copied. */
export interface Copied {
  /** `schema.table`, quoted. */
  readonly target: string;
  /** Quoted. */
  readonly columns: readonly string[];
  /** Made as they are asked for, once. */
  readonly chunks: Iterable<Buffer>;
}

interface Lane {
  readonly topic: string;
  readonly partition: number;
}

const plain = <Item>(name: string, fill: CopiedColumn<Item>["fill"]): CopiedColumn<Item> => ({ name, fill });

function ofColumn<Item>(
  { name, column }: ColumnLayout,
  value: (item: Item) => ColumnValue | undefined,
): CopiedColumn<Item> {
  const write = fieldWriter(column);
  return { name, fill: (into, item) => write(into, value(item)) };
}

const partitionOf = <Item>({ partition }: Lane) => plain<Item>("source_partition", (into) => into.integer(partition));
const topicOf = <Item>({ topic }: Lane) => plain<Item>("source_topic", (into) => into.text(topic));

const keyedColumns = (table: TableLayout, lane: Lane): CopiedColumn<Slot>[] => [
  ofColumn(table.keyColumn as ColumnLayout, ({ key }) => key),
  ...table.given.map((given) => ofColumn<Slot>(given, ({ row }) => (row as Row)[given.name])),
  plain("recorded_at", (into, { recordedAt }) => into.timestamptz(recordedAt)),
  plain("source_offset", (into, { offset }) => into.bigint(offset)),
  partitionOf(lane),
];

const versionColumns = (table: TableLayout, lane: Lane): CopiedColumn<HistoryChange>[] => [
  ofColumn(table.keyColumn as ColumnLayout, ({ key }) => key),
  ...(table.history?.columns ?? []).map((kept, index) =>
    ofColumn<HistoryChange>(kept, ({ row, rest }) => versionValue(table, kept, row, rest, index)),
  ),
  plain("event_occurred_at", (into, { occurredAt }) =>
    occurredAt === null ? into.null() : into.timestamptz(occurredAt),
  ),
  plain("recorded_at", (into, { recordedAt }) => into.timestamptz(recordedAt)),
  plain("removed", (into, { row }) => into.boolean(row === undefined)),
  plain("source_offset", (into, { offset }) => into.bigint(offset)),
  partitionOf(lane),
];

const summedColumns = (table: TableLayout, lane: Lane): CopiedColumn<SummedChange>[] => [
  ...table.rest.map((part) => ofColumn<SummedChange>(part, ({ key }) => key[part.name])),
  ...table.sums.map(({ name, column }, index) =>
    plain<SummedChange>(name, (into, { sums }) =>
      column.kind === "money" ? into.cents(sums[index] ?? 0) : into.whole(sums[index] ?? 0),
    ),
  ),
  topicOf(lane),
  partitionOf(lane),
];

const appendedColumns = (table: TableLayout, lane: Lane): CopiedColumn<AppendedChange>[] => [
  ...table.given.map((given) => ofColumn<AppendedChange>(given, ({ row }) => row[given.name])),
  plain("source_offset", (into, { offset }) => into.bigint(offset)),
  plain("source_ordinal", (into, { ordinal }) => into.integer(ordinal)),
  topicOf(lane),
  partitionOf(lane),
];

/** What a partition's changes leave in empty tables: only tables that have rows. Rows that came and went are none. */
export function copiedTables(layout: ProjectionLayout, build: Build, lane: Lane, changes: Changes): readonly Copied[] {
  const copied = <Item>(
    table: { readonly name: string },
    columns: CopiedColumn<Item>[],
    items: readonly Item[],
  ): Copied[] =>
    items.length === 0
      ? []
      : [
          {
            target: `${quoted(build.schema)}.${quoted(table.name)}`,
            columns: columns.map(({ name }) => quoted(name)),
            chunks: copyChunks(columns, items),
          },
        ];
  return layout.tables.flatMap((table) => {
    const { index, kind } = table;
    if (kind === "keyed") {
      const slots = (changes.keyed[index] ?? []).filter(({ row }) => row !== undefined);
      const rows = copied(table, keyedColumns(table, lane), slots);
      if (!table.history) return rows;
      return [...rows, ...copied(table.history, versionColumns(table, lane), changes.history[index] ?? [])];
    }
    if (kind === "summed") {
      return copied(table, summedColumns(table, lane), [...(changes.summed[index]?.values() ?? [])]);
    }
    return copied(table, appendedColumns(table, lane), changes.appended[index] ?? []);
  });
}
