import { ArrayParameter, type ElementType } from "./array-parameter.js";
import type { Build } from "./build.js";
import type { Sum } from "./changes.js";
import { columnParameter, parameterType, putExpression, valueWriter } from "./columns.js";
import type { ColumnValue, Row } from "./definition.js";
import type { Slot } from "./entity.js";
import type { ColumnLayout, HistoryLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { consumerRole, literal, quoted } from "./names.js";
import type { HistoryChange, VersionPlace } from "./row-version.js";
import { restValue, versionValue } from "./scope.js";

/** A column of a part: how its array is typed, filled, and put into the table. */
interface PartColumn<Item> {
  readonly name: string;
  readonly type: string;
  readonly parameter: (expected?: number) => ArrayParameter;
  readonly fill: (into: ArrayParameter, item: Item) => void;
  /** From the element `$` to what is stored. */
  readonly expression: string;
}

/** One INSERT or DELETE inside the statement, for changes of one kind. */
export interface PartLayout<Item> {
  readonly columns: readonly PartColumn<Item>[];
  /**
   * @param elements names of the columns' elements.
   * @param from what gives them, with the ordinal of their lane, for lanes behind their fence.
   */
  readonly sql: (elements: readonly string[], from: string, lane: LaneExpressions) => string;
}

/** What a row takes from its lane. */
export interface LaneExpressions {
  readonly topic: string;
  readonly partition: string;
}

/** A key held back, as it is written with the batch. */
export interface ParkedRow {
  readonly offset: number;
  readonly key: string;
  readonly position: string;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly code: string;
  readonly reason: string;
  /** Highest journal positions seen up to the event, it included. */
  readonly positions: string;
}

export interface AppendedItem {
  readonly row: Row;
  readonly offset: number;
  readonly ordinal: number;
}

export interface SummedItem {
  readonly key: Row;
  readonly sums: readonly Sum[];
}

/** The parts of one table. */
export type TableParts =
  | {
      readonly insert: PartLayout<Slot>;
      readonly put: PartLayout<Slot>;
      readonly remove: PartLayout<Slot>;
      /** The last parts, where versions are kept. */
      readonly version?: PartLayout<HistoryChange>;
      readonly mend?: PartLayout<HistoryChange>;
      readonly unmake?: PartLayout<VersionPlace>;
    }
  | { readonly sum: PartLayout<SummedItem> }
  | { readonly append: PartLayout<AppendedItem>; readonly withdraw: PartLayout<number> };

function plain<Item>(
  name: string,
  element: ElementType,
  fill: (into: ArrayParameter, item: Item) => void,
): PartColumn<Item> {
  return {
    name,
    type: `${element}[]`,
    parameter: (expected) => new ArrayParameter(element, expected),
    fill,
    expression: "$",
  };
}

function ofColumn<Item>(
  { name, column }: ColumnLayout,
  value: (item: Item) => ColumnValue | undefined,
): PartColumn<Item> {
  const write = valueWriter(column);
  return {
    name,
    type: parameterType(column),
    parameter: (expected) => columnParameter(column, expected),
    fill: (into, item) => write(into, value(item)),
    expression: putExpression(column, "$"),
  };
}

const textOrNull = (into: ArrayParameter, value: string | null) => (value === null ? into.null() : into.text(value));

/** INSERT of all columns and what the lane gives. */
function insertSql(
  target: string,
  columns: readonly Pick<PartColumn<never>, "name" | "expression">[],
  ofLane: readonly (readonly [string, keyof LaneExpressions])[],
  conflict: string,
): PartLayout<never>["sql"] {
  const names = [...columns.map(({ name }) => name), ...ofLane.map(([name]) => name)].map(quoted);
  return (elements, from, lane) => {
    const values = [
      ...columns.map(({ expression }, index) => expression.replaceAll("$", elements[index] as string)),
      ...ofLane.map(([, what]) => lane[what]),
    ];
    return `INSERT INTO ${target} AS t (${names.join(", ")}) SELECT ${values.join(", ")} FROM ${from}${conflict}`;
  };
}

/** DELETE of rows by columns that identify them. */
const deleteSql =
  (target: string, key: readonly { readonly name: string }[]): PartLayout<never>["sql"] =>
  (elements, from) =>
    `DELETE FROM ${target} AS t USING ${from} WHERE ${key
      .map(({ name }, index) => `t.${quoted(name)} = ${elements[index]}`)
      .join(" AND ")}`;

function keyedParts(table: TableLayout, schema: string): TableParts {
  const target = `${schema}.${quoted(table.name)}`;
  const keyColumn = table.keyColumn as ColumnLayout;
  const columns: PartColumn<Slot>[] = [
    ofColumn(keyColumn, ({ key }) => key),
    ...table.given.map((given) => ofColumn<Slot>(given, ({ row }) => (row as Row)[given.name])),
    plain("recorded_at", "timestamptz", (into, { recordedAt }) => into.timestamptz(recordedAt)),
    plain("source_offset", "bigint", (into, { offset }) => into.bigint(offset)),
  ];
  const key = [keyColumn, ...table.rest];
  const set = [...columns.map(({ name }) => name), "source_partition"]
    .filter((name) => !key.some((column) => column.name === name))
    .map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`);
  const conflict = ` ON CONFLICT (${key.map(({ name }) => quoted(name)).join(", ")}) DO UPDATE SET ${set.join(", ")}`;
  const ofLane = [["source_partition", "partition"]] as const;
  return {
    // Known to be new, since only the lane writes its rows: no look for a conflict, a third cheaper.
    insert: { columns, sql: insertSql(target, columns, ofLane, "") },
    put: { columns, sql: insertSql(target, columns, ofLane, conflict) },
    remove: {
      columns: [
        ofColumn(keyColumn, ({ key }) => key),
        ...table.rest.map((part, index) => ofColumn<Slot>(part, ({ rest }) => restValue(part, rest, index))),
      ],
      sql: deleteSql(target, key),
    },
    ...(table.history ? versionParts(table, table.history, schema) : {}),
  };
}

function versionParts(table: TableLayout, history: HistoryLayout, schema: string) {
  const target = `${schema}.${quoted(history.name)}`;
  const keyColumn = table.keyColumn as ColumnLayout;
  const offset = plain<VersionPlace>("source_offset", "bigint", (into, version) => into.bigint(version.offset));
  const columns: PartColumn<HistoryChange>[] = [
    ofColumn(keyColumn, ({ key }) => key),
    ...history.columns.map((kept, index) =>
      ofColumn<HistoryChange>(kept, ({ row, rest }) => versionValue(table, kept, row, rest, index)),
    ),
    plain("event_occurred_at", "timestamptz", (into, { occurredAt }) =>
      occurredAt === null ? into.null() : into.timestamptz(occurredAt),
    ),
    plain("recorded_at", "timestamptz", (into, { recordedAt }) => into.timestamptz(recordedAt)),
    plain("removed", "boolean", (into, { row }) => into.boolean(row === undefined)),
    offset,
  ];
  const place: readonly PartColumn<VersionPlace>[] = [
    ofColumn(keyColumn, ({ key }) => key),
    ...table.rest.map((part, index) => ofColumn<VersionPlace>(part, ({ rest }) => restValue(part, rest, index))),
    offset,
  ];
  const isPlace = ({ name }: { readonly name: string }) => place.some((part) => part.name === name);
  const set = columns
    .filter((column) => !isPlace(column))
    .map(({ name }) => `${quoted(name)} = EXCLUDED.${quoted(name)}`);
  const conflict = ` ON CONFLICT (${place.map(({ name }) => quoted(name)).join(", ")}) DO UPDATE SET ${set.join(", ")}`;
  const ofLane = [["source_partition", "partition"]] as const;
  return {
    // No ON CONFLICT, as for appended rows: an event makes one version of a row, once.
    version: { columns, sql: insertSql(target, columns, ofLane, "") },
    mend: { columns, sql: insertSql(target, columns, ofLane, conflict) },
    unmake: { columns: place, sql: deleteSql(target, place) },
  };
}

function summedParts(table: TableLayout, target: string): TableParts {
  const columns: PartColumn<SummedItem>[] = [
    ...table.rest.map((part) => ofColumn<SummedItem>(part, ({ key }) => key[part.name])),
    ...table.sums.map(({ name, column }, index) =>
      plain<SummedItem>(name, "numeric", (into, { sums }) =>
        column.kind === "money" ? into.cents(sums[index] ?? 0) : into.whole(sums[index] ?? 0),
      ),
    ),
  ];
  const key = [...table.rest.map(({ name }) => name), "source_topic", "source_partition"].map(quoted).join(", ");
  const set = table.sums.map(({ name }) => `${quoted(name)} = t.${quoted(name)} + EXCLUDED.${quoted(name)}`);
  const ofLane = [
    ["source_topic", "topic"],
    ["source_partition", "partition"],
  ] as const;
  const conflict = ` ON CONFLICT (${key}) DO UPDATE SET ${set.join(", ")}`;
  return { sum: { columns, sql: insertSql(target, columns, ofLane, conflict) } };
}

function appendedParts(table: TableLayout, target: string): TableParts {
  const columns: PartColumn<AppendedItem>[] = [
    ...table.given.map((given) => ofColumn<AppendedItem>(given, ({ row }) => row[given.name])),
    plain("source_offset", "bigint", (into, { offset }) => into.bigint(offset)),
    plain("source_ordinal", "integer", (into, { ordinal }) => into.integer(ordinal)),
  ];
  const ofLane = [
    ["source_topic", "topic"],
    ["source_partition", "partition"],
  ] as const;
  return {
    // No ON CONFLICT: a second row of the same event would be a broken fence, and must not pass in silence.
    append: { columns, sql: insertSql(target, columns, ofLane, "") },
    withdraw: {
      columns: [plain("source_offset", "bigint", (into, offset) => into.bigint(offset))],
      sql: ([offset], from, { topic, partition }) =>
        `DELETE FROM ${target} AS t USING ${from} WHERE t.source_topic = ${topic} AND t.source_partition = ${partition} AND t.source_offset = ${offset}`,
    },
  };
}

export function tableParts(table: TableLayout, build: Build): TableParts {
  const target = `${quoted(build.schema)}.${quoted(table.name)}`;
  if (table.kind === "keyed") return keyedParts(table, quoted(build.schema));
  return table.kind === "summed" ? summedParts(table, target) : appendedParts(table, target);
}

/** Keys that are held no more, as units translated again have it. */
export function releasedPart(layout: ProjectionLayout, build: Build): PartLayout<string> {
  return {
    columns: [plain("key", "text", (into, key) => into.text(key))],
    sql: ([key], from, { topic, partition }) =>
      `UPDATE engine.parked_keys AS p SET state = 'done' FROM ${from} WHERE p.projection = ${literal(layout.name)} AND p.build = ${build.build} AND p.topic = ${topic} AND p.partition = ${partition} AND p.key = ${key} AND p.state <> 'done'`,
  };
}

const parkedColumns: readonly PartColumn<ParkedRow>[] = [
  plain("log_offset", "bigint", (into, { offset }) => into.bigint(offset)),
  plain("key", "text", (into, { key }) => into.text(key)),
  plain("position", "text", (into, { position }) => into.text(position)),
  plain("event_id", "text", (into, { eventId }) => textOrNull(into, eventId)),
  plain("event_type", "text", (into, { eventType }) => textOrNull(into, eventType)),
  plain("code", "text", (into, { code }) => into.text(code)),
  plain("reason", "text", (into, { reason }) => into.text(reason)),
  { ...plain<ParkedRow>("positions", "text", (into, { positions }) => into.text(positions)), expression: "$::json" },
];

function parkingPart(layout: ProjectionLayout, build: Build, state: "parked" | "done"): PartLayout<ParkedRow> {
  const columns = parkedColumns;
  const constants = {
    projection: literal(layout.name),
    build: String(build.build),
    consumer_role: literal(consumerRole(build.consumer)),
    state: literal(state),
    mended: "false",
  };
  const keyed = new Set(["projection", "build", "topic", "partition", "log_offset"]);
  const names = [...columns.map(({ name }) => name), ...Object.keys(constants), "topic", "partition"];
  // Held at the same event once more, after a unit translated again had released it.
  const again = names.filter((name) => !keyed.has(name)).map((name) => `${name} = EXCLUDED.${name}`);
  const conflict = ` ON CONFLICT (projection, build, topic, partition, log_offset) DO UPDATE SET ${again.join(", ")}`;
  return {
    columns,
    sql: (elements, from, { topic, partition }) =>
      `INSERT INTO engine.parked_keys (${names.join(", ")}) SELECT ${[...columns.map(({ expression }, index) => expression.replaceAll("$", elements[index] as string)), ...Object.values(constants), topic, partition].join(", ")} FROM ${from}${conflict}`,
  };
}

/** Keys that are held from now on. */
export const parkedPart = (layout: ProjectionLayout, build: Build) => parkingPart(layout, build, "parked");

/** Events of held keys that Postgres refused: the keys are held before them, and they count as refused all the same. */
export const refusalPart = (layout: ProjectionLayout, build: Build) => parkingPart(layout, build, "done");
