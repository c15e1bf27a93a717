import { eventCatalog } from "../../schemas/events.generated.js";
import { TributaryError } from "../service/errors.js";
import {
  type AnyProjection,
  type Column,
  type DerivedTable,
  historyColumns,
  reservedColumns,
  type Table,
} from "./definition.js";
import { historyName } from "./layout.js";

const namePattern = /^[a-z][a-z0-9_]*$/;
/** Postgres cuts names off after 63 bytes. */
const longestName = 63;
const sortableKinds = new Set(["uuid", "text", "integer", "bigint", "date", "instant", "boolean"]);
const summableKinds = new Set(["integer", "bigint", "money"]);

function nameMistakes(place: string, name: string, longest = longestName): string[] {
  if (!namePattern.test(name)) return [`${place}: the name is not in lower snake case`];
  return name.length > longest ? [`${place}: the name is longer than ${longest} bytes`] : [];
}

function* columnMistakes(place: string, name: string, column: Column): Generator<string> {
  yield* nameMistakes(`${place}.${name}`, name);
  if (column.comment.trim() === "") yield `${place}.${name}: has no comment`;
  if (column.values && column.kind !== "text") yield `${place}.${name}: only a text column lists its values`;
  if (column.indexed && column.kind === "json") yield `${place}.${name}: a json column can't be indexed`;
}

function* keyMistakes(place: string, table: Pick<Table, "key" | "columns" | "restricted">): Generator<string> {
  if (table.key.length === 0) yield `${place}: has no key`;
  if (new Set(table.key).size !== table.key.length) yield `${place}: names a key column twice`;
  for (const name of table.key) {
    const column = table.columns[name];
    if (!column) yield `${place}.${name}: is named in the key and is not a column`;
    else if (!sortableKinds.has(column.kind)) yield `${place}.${name}: a ${column.kind} column can't be in a key`;
    else if (column.hidden) yield `${place}.${name}: a key column can't be hidden`;
    else if (column.restricted && !table.restricted)
      yield `${place}.${name}: a key column can't be restricted, unless its whole table is`;
  }
}

function* tableMistakes(place: string, name: string, table: Table): Generator<string> {
  yield* nameMistakes(place, name);
  if (table.comment.trim() === "") yield `${place}: has no comment`;
  if (Object.keys(table.columns).length === 0) yield `${place}: has no columns`;
  const reserved: readonly string[] = reservedColumns[table.kind];
  for (const [columnName, column] of Object.entries(table.columns)) {
    yield* columnMistakes(place, columnName, column);
    if (reserved.includes(columnName)) yield `${place}.${columnName}: the engine adds this column itself`;
  }
  if (table.history) {
    yield* nameMistakes(place, historyName(name));
    if (table.kind !== "keyed") yield `${place}: only a keyed table keeps its versions`;
    if (table.restricted) yield `${place}: keeps versions of what identifies a person`;
    for (const column of historyColumns) {
      if (table.columns[column]) yield `${place}.${column}: the engine adds this column to versions itself`;
    }
  }
  if (table.kind === "appended") {
    if (table.key.length > 0) yield `${place}: an appended table has no key of its own`;
    return;
  }
  yield* keyMistakes(place, table);
  if (table.kind === "keyed") {
    const kind = table.columns[table.key[0] ?? ""]?.kind;
    if (kind !== undefined && kind !== "uuid" && kind !== "text")
      yield `${place}.${table.key[0]}: is filled with the event's key, so it is a uuid or text column`;
    return;
  }
  const sums = Object.entries(table.columns).filter(([columnName]) => !table.key.includes(columnName));
  if (sums.length === 0) yield `${place}: a summed table has a column outside its key`;
  for (const [columnName, column] of sums) {
    if (!summableKinds.has(column.kind)) yield `${place}.${columnName}: a ${column.kind} column can't be added up`;
    if (column.restricted) yield `${place}.${columnName}: sealed content never decides a sum`;
  }
}

function* overlayMistakes(projection: AnyProjection, place: string, derived: DerivedTable): Generator<string> {
  const under = projection.tables[derived.overlays ?? ""];
  if (under?.kind !== "keyed") {
    yield `${place}: overlays ${derived.overlays}, which is no keyed table`;
    return;
  }
  if (under.key.join() !== derived.key.join()) yield `${place}: overlays ${derived.overlays}, which has another key`;
  for (const [name, { kind }] of Object.entries(derived.columns)) {
    const over = under.columns[name];
    if (over && over.kind !== kind) yield `${place}.${name}: is ${kind}, and ${over.kind} in ${derived.overlays}`;
  }
}

function* derivedMistakes(projection: AnyProjection): Generator<string> {
  for (const [name, derived] of Object.entries(projection.derived ?? {})) {
    const place = `${projection.name}.${name}`;
    yield* nameMistakes(place, name);
    yield* keyMistakes(place, derived);
    for (const [columnName, column] of Object.entries(derived.columns))
      yield* columnMistakes(place, columnName, column);
    if (derived.from.length === 0) yield `${place}: is derived from no table`;
    for (const from of derived.from) {
      if (projection.tables[from]?.kind !== "keyed") yield `${place}: is derived from ${from}, which is no keyed table`;
    }
    if (derived.overlays !== undefined) yield* overlayMistakes(projection, place, derived);
    if (projection.tables[name]) yield `${place}: is both a table and a derived table`;
  }
}

function* viewMistakes(projection: AnyProjection): Generator<string> {
  for (const [name, view] of Object.entries(projection.views ?? {})) {
    const place = `${projection.name}.${name}`;
    yield* nameMistakes(place, name);
    if (Object.keys(view.columns).length === 0) yield `${place}: names no columns`;
    for (const column of Object.keys(view.columns)) yield* nameMistakes(`${place}.${column}`, column);
    if (Object.entries(projection.tables).some(([table, { history }]) => history && historyName(table) === name))
      yield `${place}: is the name of a table's versions`;
    const own = projection.tables[name] ?? projection.derived?.[name];
    if (own && !own.hidden) yield `${place}: a table of this name has a view of its own; hide the table`;
    if (
      /\b(now\s*\(|clock_timestamp|statement_timestamp|transaction_timestamp|current_(date|time)|localtime)/i.test(
        view.sql,
      )
    )
      yield `${place}: asks a clock; the time of the question is $now`;
    if (/\bcurrent_setting\b/i.test(view.sql))
      yield `${place}: asks a setting; that of the installation is $setting(name)`;
    if (/;/.test(view.sql)) yield `${place}: is more than one select`;
  }
}

function* foldMistakes(projection: AnyProjection): Generator<string> {
  const catalog: Readonly<Record<string, { readonly topics: readonly string[] }>> = eventCatalog;
  if (projection.topic !== undefined) {
    if (Object.keys(projection.fold).length === 0) yield `${projection.name}: folds no event`;
    return;
  }
  const topics = new Set<string>();
  for (const type of Object.keys(projection.fold)) {
    const entry = catalog[type];
    // What is in several topics comes with the others.
    if (entry?.topics.length === 1) topics.add(entry.topics[0] as string);
    else if (!entry) yield `${projection.name}: folds ${type}, which is no event type`;
  }
  const keyed = Object.values(projection.tables).some((table) => table.kind === "keyed");
  if (keyed && topics.size > 1)
    yield `${projection.name}: has a keyed table, so its events must be of one topic, not ${[...topics].join(", ")}`;
  if (topics.size === 0) yield `${projection.name}: folds no event`;
}

/**
 * Checks a definition when it is loaded.
 * @throws TRIB_PROJECT_DEFINITION_INVALID naming every mistake as `projection.table.column: what`.
 */
export function validateProjection(projection: AnyProjection): void {
  const mistakes = [
    // The schema of a build is called build_<name>_<number>.
    ...nameMistakes(projection.name, projection.name, longestName - "build__99999".length),
    ...(Number.isInteger(projection.version) && projection.version > 0
      ? []
      : [`${projection.name}: the version is a whole number from 1`]),
    ...Object.entries(projection.tables).flatMap(([name, table]) => [
      ...tableMistakes(`${projection.name}.${name}`, name, table),
    ]),
    ...derivedMistakes(projection),
    ...viewMistakes(projection),
    ...foldMistakes(projection),
  ];
  if (mistakes.length > 0) {
    throw new TributaryError("TRIB_PROJECT_DEFINITION_INVALID", `To correct: ${mistakes.join("; ")}.`);
  }
}
