import type { AnyProjection, Column, Table } from "./definition.js";
import { historyName, isKept } from "./layout.js";
import { literal, quoted } from "./names.js";

/** A view as analysts see it. */
interface ViewText {
  readonly name: string;
  readonly select: string;
  readonly comment: string;
  readonly columns: readonly { readonly name: string; readonly comment: string }[];
}

export type ViewSchema = "projections" | "projections_restricted";

const engineColumns: Readonly<Record<string, string>> = {
  recorded_at:
    "When the engine recorded the unit of the last event that changed a column of the row that is not restricted.",
  source_topic: "Topic of the event the row was made of.",
  source_partition: "Partition of the last event that changed the row.",
  source_offset: "Offset of the last event that changed the row.",
  event_occurred_at: "When the event that made this version happened, by the message's own time.",
  recorded_from: "When the version was known, inclusive: as the engine recorded its unit.",
  recorded_to: "When the next version of the row was known, or the row was removed; null while it stands.",
  source_ordinal: "Number of the row among those of its event.",
};

const comments = (names: readonly string[]) => names.map((name) => ({ name, comment: engineColumns[name] ?? "" }));
const visible = (column: Column, schema: ViewSchema) =>
  !column.hidden && (schema === "projections_restricted" || !column.restricted);
const seen = (columns: Readonly<Record<string, Column>>, schema: ViewSchema) =>
  Object.entries(columns)
    .filter(([, column]) => visible(column, schema))
    .map(([name, { comment }]) => ({ name, comment }));

/** keyed LEFT JOIN the derived tables that complete it: what a row can't know of itself wins over what it knows. */
function keyedView(projection: AnyProjection, name: string, table: Table, build: string, schema: ViewSchema): ViewText {
  const own = seen(table.columns, schema);
  const overlays = Object.entries(projection.derived ?? {}).filter(([, derived]) => derived.overlays === name);
  const alias = (index: number) => `o${index}`;
  const sources = (column: string) =>
    overlays.flatMap(([, { columns }], index) => (columns[column] ? [alias(index)] : []));
  const columns = own.map(({ name: column }) => {
    const over = table.key.includes(column) ? [] : sources(column);
    if (over.length === 0) return `t.${quoted(column)}`;
    return `coalesce(${[...over, "t"].map((from) => `${from}.${quoted(column)}`).join(", ")}) AS ${quoted(column)}`;
  });
  const further = overlays.flatMap(([, derived], index) =>
    derived.restricted && schema === "projections"
      ? []
      : seen(derived.columns, schema)
          .filter((column) => !table.columns[column.name])
          .map((column) => ({ ...column, select: `${alias(index)}.${quoted(column.name)}` })),
  );
  const engine = ["recorded_at", "source_partition", "source_offset"];
  const joins = overlays.map(
    ([derived], index) =>
      ` LEFT JOIN ${build}.${quoted(derived)} ${alias(index)} ON ${table.key
        .map((key) => `${alias(index)}.${quoted(key)} = t.${quoted(key)}`)
        .join(" AND ")}`,
  );
  return {
    name,
    select: `SELECT ${[...columns, ...further.map(({ select }) => select), ...engine.map((column) => `t.${quoted(column)}`)].join(", ")} FROM ${build}.${quoted(name)} t${joins.join("")}`,
    comment: table.comment,
    columns: [...own, ...further, ...comments(engine)],
  };
}

function summedView(name: string, table: Table, build: string): ViewText {
  const columns = Object.entries(table.columns).filter(([, column]) => !column.hidden);
  const select = columns.map(([column, { kind }]) => {
    if (table.key.includes(column)) return quoted(column);
    return `sum(${quoted(column)})::${kind === "money" ? "numeric" : "bigint"} AS ${quoted(column)}`;
  });
  return {
    name,
    select: `SELECT ${select.join(", ")} FROM ${build}.${quoted(name)} GROUP BY ${table.key.map(quoted).join(", ")}`,
    comment: table.comment,
    columns: columns.map(([column, { comment }]) => ({ name: column, comment })),
  };
}

function plainView(
  name: string,
  table: Pick<Table, "comment" | "columns">,
  engine: readonly string[],
  build: string,
  schema: ViewSchema,
): ViewText {
  const columns = [...seen(table.columns, schema), ...comments(engine)];
  return {
    name,
    select: `SELECT ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${build}.${quoted(name)}`,
    comment: table.comment,
    columns,
  };
}

/**
 * The versions of a keyed table. They are only ever added, so the range of one ends where the next of its row begins. Two
 * feeds may tell of one row and be published out of order: a range never begins before that of the version before it.
 */
function historyView(name: string, table: Table, build: string): ViewText {
  const columns = Object.entries(table.columns)
    .filter(([, column]) => isKept(column))
    .map(([column, { comment }]) => ({ name: column, comment }));
  const own = columns.map((column) => `h.${quoted(column.name)}`).join(", ");
  const engine = ["event_occurred_at", "recorded_from", "recorded_to", "source_partition", "source_offset"];
  const key = table.key.map((column) => `v.${quoted(column)}`).join(", ");
  return {
    name: historyName(name),
    select: `SELECT ${own}, ${engine.map((column) => `h.${column}`).join(", ")} FROM (
      SELECT v.*, max(v.recorded_at) OVER w AS recorded_from,
        CASE WHEN lead(v.recorded_at) OVER w IS NOT NULL THEN greatest(max(v.recorded_at) OVER w, lead(v.recorded_at) OVER w) END AS recorded_to
      FROM ${build}.${quoted(historyName(name))} v WINDOW w AS (PARTITION BY ${key} ORDER BY v.source_offset)
    ) h WHERE NOT h.removed`,
    comment: `Every version of ${name}, with the range of recorded time in which it stood. ${table.comment}`,
    columns: [...columns, ...comments(engine)],
  };
}

/** Where a view is made, and when its `$now` is. */
interface ViewPlace {
  /** Schema of the views, quoted. */
  readonly target: string;
  /** SQL. */
  readonly now: string;
  /** A setting of the installation's own by its name, as SQL: text, null where it is not set. */
  readonly setting: (name: string) => string;
}

const live = {
  now: "now()",
  setting: (name: string) => `nullif(current_setting(${literal(`tributary.${name}`)}, true), '')`,
} as const;

function viewsIn(
  projection: AnyProjection,
  buildSchema: string,
  schema: ViewSchema,
  { target, now, setting }: ViewPlace,
): ViewText[] {
  const build = quoted(buildSchema);
  const shown = (part: { readonly restricted?: boolean; readonly hidden?: boolean }) =>
    !part.hidden && (schema === "projections_restricted" || !part.restricted);
  const views: ViewText[] = [];
  for (const [name, table] of Object.entries(projection.tables)) {
    if (!shown(table)) continue;
    if (table.kind === "keyed") {
      views.push(keyedView(projection, name, table, build, schema));
      if (table.history) views.push(historyView(name, table, build));
    } else if (table.kind === "summed") views.push(summedView(name, table, build));
    else views.push(plainView(name, table, ["source_topic", "source_partition", "source_offset"], build, schema));
  }
  for (const [name, table] of Object.entries(projection.derived ?? {})) {
    if (shown(table) && table.overlays === undefined) views.push(plainView(name, table, [], build, schema));
  }
  for (const [name, view] of Object.entries(projection.views ?? {})) {
    if (!shown(view)) continue;
    const columns = Object.entries(view.columns).flatMap(([column, text]) => {
      if (typeof text === "string") return [{ name: column, comment: text }];
      return schema === "projections_restricted" ? [{ name: column, comment: text.comment }] : [];
    });
    // A function as replacement: `$` in a replacement text has meanings of its own.
    const sql = view.sql
      .replaceAll("$build", () => build)
      .replaceAll("$schema", () => target)
      .replaceAll("$now", () => now)
      .replaceAll(/\$setting\((\w+)\)/g, (_, setName: string) => setting(setName));
    const select = `SELECT ${columns.map((column) => `v.${quoted(column.name)}`).join(", ")} FROM (${sql}) v`;
    views.push({ name, select, comment: view.comment, columns });
  }
  return views;
}

const viewSchemas: readonly ViewSchema[] = ["projections", "projections_restricted"];
const readers: Readonly<Record<ViewSchema, string>> = {
  projections: "tributary_analyst, tributary_analyst_restricted, tributary_auditor",
  projections_restricted: "tributary_analyst_restricted",
};

/** Views of a projection on one of its builds, in the order in which they are made. */
export interface MadeViews {
  /** `schema.view`, quoted. */
  readonly names: readonly string[];
  /** Comments and grants included. */
  readonly statements: readonly string[];
  /** Each view by itself: its name as in `names`, its text, and its columns. */
  readonly parts: readonly { readonly name: string; readonly select: string; readonly columns: readonly string[] }[];
}

/** Further grants on a view. */
type Grants = (target: string, name: string) => readonly string[];

function made(views: readonly ViewText[], schema: string, readers: string, more: Grants = () => []): MadeViews {
  const names: string[] = [];
  const statements = views.flatMap((view) => {
    const target = `${schema}.${quoted(view.name)}`;
    names.push(target);
    return [
      `CREATE VIEW ${target} AS ${view.select}`,
      `COMMENT ON VIEW ${target} IS ${literal(view.comment)}`,
      ...view.columns.map(({ name, comment }) => `COMMENT ON COLUMN ${target}.${quoted(name)} IS ${literal(comment)}`),
      `GRANT SELECT ON ${target} TO ${readers}`,
      ...more(target, view.name),
    ];
  });
  const parts = views.map(({ name, select, columns }) => ({
    name: `${schema}.${quoted(name)}`,
    select,
    columns: columns.map((column) => column.name),
  }));
  return { names, statements, parts };
}

export function viewsOf(projection: AnyProjection, buildSchema: string): MadeViews {
  const all = viewSchemas.map((schema) =>
    made(viewsIn(projection, buildSchema, schema, { target: schema, ...live }), schema, readers[schema]),
  );
  return {
    names: all.flatMap(({ names }) => names),
    statements: all.flatMap(({ statements }) => statements),
    parts: all.flatMap(({ parts }) => parts),
  };
}

/** A view of an as-of, and which of its columns identify nobody. */
export interface AsOfView {
  readonly name: string;
  readonly columns: readonly string[];
  /** Columns that the view has in `projections`; none where there is no such view. */
  readonly clear: readonly string[];
}

export interface AsOfViews extends MadeViews {
  readonly views: readonly AsOfView[];
}

/**
 * The views of an as-of: named as in `projections_restricted`, in a schema of their own, their clock stopped, and without
 * the settings of a database or a session: what was known is the same everywhere.
 * @param at epoch milliseconds.
 */
export function viewsAsOf(projection: AnyProjection, buildSchema: string, schema: string, at: number): AsOfViews {
  const now = `${literal(new Date(at).toISOString())}::timestamptz`;
  const place = { target: quoted(schema), now, setting: () => "NULL::text" };
  const all = viewsIn(projection, buildSchema, "projections_restricted", place);
  const clear = new Map(
    viewsIn(projection, buildSchema, "projections", place).map(({ name, columns }) => [name, columns] as const),
  );
  const names = (columns: ViewText["columns"] = []) => columns.map(({ name }) => name);
  // As in the live schemas: who may not read what identifies a person there may not read it here.
  const others: Grants = (target, name) => {
    const told = names(clear.get(name)).map(quoted).join(", ");
    return told === "" ? [] : [`GRANT SELECT (${told}) ON ${target} TO tributary_analyst, tributary_auditor`];
  };
  return {
    ...made(all, place.target, "tributary_analyst_restricted", others),
    views: all.map(({ name, columns }) => ({ name, columns: names(columns), clear: names(clear.get(name)) })),
  };
}
