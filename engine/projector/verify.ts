import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { storableText } from "./checkpoint.js";
import { type AnyProjection, type DerivedTable, type Row, text } from "./definition.js";
import { holdable } from "./derived-rows.js";
import { layOut, type ProjectionLayout, type TableLayout } from "./layout.js";
import { writeRefused } from "./park-reason.js";
import { type BuiltRow, readDerived, readTable, readVersions, versionColumns } from "./read-table.js";
import { type AskedRow, type RowEvents, settingEvents } from "./setting-events.js";
import { valuesEqual } from "./values.js";
import { type Vector, vectorOf } from "./vector.js";
import { type FoldSource, type Recount, type RefusedEvents, recount } from "./verify-fold.js";
import type { RowSource, TrailVersion } from "./verify-rows.js";

/** A row that is not what the log says, and the events that should have set it. Names places only, no values. */
export interface RowDifference extends RowEvents {
  readonly table: string;
  /**
   * The row's key: surrogate ids and codes, or the place of the event of an appended row; `restricted` where the key itself
   * identifies a person.
   */
  readonly key: string;
  readonly what: "missing" | "not in the log" | "different";
  /** Columns that differ. */
  readonly columns: readonly string[];
}

export interface Verification {
  readonly events: number;
  readonly rows: number;
  /** Keys held back by the log and the definition. */
  readonly parkedKeys: number;
  /** What the build reflects, and what was read of the log. */
  readonly vector: Vector;
  /** In all; `differences` has the first ones. */
  readonly differing: number;
  readonly differences: readonly RowDifference[];
  /** Derived tables that reflect another vector now, and so were not compared. */
  readonly skipped: readonly string[];
}

export interface VerifyOptions extends FoldSource {
  /** Of the build's version. */
  readonly projection: AnyProjection;
  readonly build: Build;
  readonly pool: Pool;
  /** Most differences told; default 20. */
  readonly limit?: number;
}

interface Snapshot {
  readonly vector: Vector;
  readonly tables: ReadonlyMap<string, readonly BuiltRow[]>;
  readonly versions: ReadonlyMap<string, readonly Row[]>;
  readonly derived: ReadonlyMap<string, readonly Row[]>;
  readonly skipped: readonly string[];
  /** Keys held back, each a row. */
  readonly parked: readonly Row[];
  readonly refused: RefusedEvents;
}

/** A row as it should be, with the last event that changed it (keyed) or made it (appended). */
interface WantedRow {
  /** Every column of the table, the event's key included. A sum beyond exact numbers is given as text. */
  readonly row: Row;
  readonly source: RowSource | undefined;
  /** appended: of the event that made it. */
  readonly topic?: string;
}

/** Keys held back, as a table that is compared like the others. */
const parkedKeys = {
  name: "parked_keys",
  kind: "summed",
  key: ["topic", "partition", "offset"],
  columns: [
    { name: "key", column: text(""), inKey: false },
    { name: "code", column: text(""), inKey: false },
  ],
} as const;

async function snapshotOf(pool: Pool, build: Build, layout: ProjectionLayout): Promise<Snapshot> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const vector = await vectorOf(client, build);
    const tables = new Map<string, readonly BuiltRow[]>();
    const versions = new Map<string, readonly Row[]>();
    for (const table of layout.tables) {
      tables.set(table.name, await readTable(client, build, table));
      if (table.history) versions.set(table.name, await readVersions(client, build, table));
    }
    const derived = new Map<string, readonly Row[]>();
    const skipped: string[] = [];
    for (const [name, definition] of Object.entries(layout.definition.derived ?? {})) {
      const { rows } = await client.query<{ vector: Vector }>(
        "SELECT vector FROM engine.derived_tables WHERE projection = $1 AND build = $2 AND name = $3",
        [build.projection, build.build, name],
      );
      if (JSON.stringify(rows[0]?.vector) !== JSON.stringify(vector)) skipped.push(name);
      else derived.set(name, await readDerived(client, build, name, definition));
    }
    const { rows } = await client.query<Row>(
      `SELECT topic, partition, log_offset AS offset, key, code, state, mended FROM engine.parked_keys
       WHERE projection = $1 AND build = $2`,
      [build.projection, build.build],
    );
    await client.query("COMMIT");
    broken = false;
    const refused = rows
      .filter(({ code, mended }) => code === writeRefused && !mended)
      .map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`);
    const parked = rows.filter(({ state }) => state !== "done");
    return { vector, tables, versions, derived, skipped, parked, refused: new Set(refused) };
  } finally {
    client.release(broken);
  }
}

const versionRow = ({ row, removed, occurredAt, recordedAt, offset }: TrailVersion): Row => ({
  ...row,
  event_occurred_at: occurredAt,
  recorded_at: recordedAt,
  removed,
  source_offset: offset,
});

const sourceOf = (row: WantedRow | BuiltRow) => `${row.source?.partition}/${row.source?.offset}`;

type FoundDifference = Pick<RowDifference, "key" | "what"> & AskedRow;

/** How the events of a row are asked for: by its key, or by the place of the one event that made it. */
function askedBy(
  table: { readonly kind: string; readonly name: string },
  found: WantedRow | BuiltRow,
): Partial<AskedRow> {
  const { row } = found;
  if (table.kind === "keyed") return { keyed: row };
  if (table.kind === "appended") {
    const { topic } = found as WantedRow;
    return topic === undefined ? {} : { place: `${topic}/${sourceOf(found)}` };
  }
  if (table.name === parkedKeys.name) return { place: `${row.topic}/${row.partition}/${row.offset}` };
  return row.source_offset === undefined ? {} : { place: `${Object.values(row)[0]}@${row.source_offset}` };
}

function* tableDifferences(
  table: Pick<TableLayout, "name" | "kind"> & {
    readonly key: readonly string[];
    readonly columns: readonly { readonly name: string }[];
    readonly isRestricted?: boolean;
  },
  built: readonly (WantedRow | BuiltRow)[],
  wanted: readonly WantedRow[],
): Generator<FoundDifference> {
  const columns = table.columns.map(({ name }) => name);
  const numbered = new Map<string, number>();
  const keyOf = (row: WantedRow | BuiltRow) => {
    if (table.kind !== "appended") return table.key.map((name) => String(row.row[name])).join(" ");
    return `${sourceOf(row)} ${columns.map((name) => JSON.stringify(row.row[name])).join(" ")}`;
  };
  // Appended rows have no key but their place and content; equal ones are told apart by counting.
  const counted = (rows: readonly (WantedRow | BuiltRow)[]) => {
    numbered.clear();
    return new Map(
      rows.map((row) => {
        const key = keyOf(row);
        const number = (numbered.get(key) ?? 0) + 1;
        numbered.set(key, number);
        return [`${key} #${number}`, row];
      }),
    );
  };
  const told = (key: string, row: WantedRow | BuiltRow) => {
    if (table.isRestricted) return "restricted";
    return table.kind === "appended" ? `partition/offset ${sourceOf(row)}` : key.replace(/ #1$/, "");
  };
  const there = counted(built);
  for (const [key, row] of counted(wanted)) {
    const found = there.get(key);
    there.delete(key);
    if (!found) {
      yield { table: table.name, key: told(key, row), what: "missing", columns: [], ...askedBy(table, row) };
      continue;
    }
    const differing = columns.filter((name) => !valuesEqual(found.row[name], row.row[name]));
    if (table.kind === "keyed") {
      if (found.source?.recordedAt !== row.source?.recordedAt) differing.push("recorded_at");
      if (found.source?.offset !== row.source?.offset) differing.push("source_offset");
    }
    if (differing.length > 0) {
      const what = "different" as const;
      yield { table: table.name, key: told(key, row), what, columns: differing, ...askedBy(table, row) };
    }
  }
  for (const [key, row] of there) {
    const what = "not in the log" as const;
    yield { table: table.name, key: told(key, row), what, columns: [], ...askedBy(table, row) };
  }
}

/** What the partitions together say of a table. */
function rowsOf(table: TableLayout, counted: readonly Recount[]): readonly WantedRow[] {
  if (table.kind === "keyed") return counted.flatMap(({ rows }) => rows.rows(table));
  if (table.kind === "appended") {
    return counted.flatMap(({ appended }) =>
      (appended[table.index] ?? []).map(({ row, event: { topic, partition, offset, position } }) => {
        return { row, source: { recordedAt: position.recordedAt, partition, offset }, topic };
      }),
    );
  }
  const sums = new Map<string, { readonly key: Row; readonly sums: readonly bigint[] }>();
  for (const partition of counted) {
    for (const [name, { key, sums: more }] of partition.sums[table.index] ?? []) {
      const there = sums.get(name)?.sums;
      sums.set(name, { key, sums: more.map((sum, index) => sum + (there?.[index] ?? 0n)) });
    }
  }
  const value = (sum: bigint) => (Number.isSafeInteger(Number(sum)) ? Number(sum) : String(sum));
  return [...sums.values()].map(({ key, sums: all }) => {
    const named = table.sums.map(({ name }, index) => [name, value(all[index] ?? 0n)] as const);
    return { row: { ...key, ...Object.fromEntries(named) }, source: undefined };
  });
}

/** A row of sums that all came to nothing may be left of what was told and taken back. */
const saysSomething =
  ({ sums }: TableLayout) =>
  ({ row }: WantedRow | BuiltRow): boolean =>
    sums.some(({ name }) => row[name] !== 0 && row[name] !== null);

function derivedRows(
  name: string,
  definition: DerivedTable,
  { tables }: ProjectionLayout,
  wanted: (table: TableLayout) => readonly WantedRow[],
): readonly Row[] {
  const given = definition.from.map((from) => {
    const table = tables.find((candidate) => candidate.name === from);
    return [from, table ? wanted(table).map(({ row }) => row) : []] as const;
  });
  return [...holdable(name, definition, definition.derive(Object.fromEntries(given))).rows.values()];
}

/**
 * Recomputes a build from the whole log, up to the checkpoints of one snapshot of it, and compares row by row, the keys held
 * back too. Holds the read model in memory. Where rows differ it reads the log once more for the events that should have set
 * them; a sum of many and a row derived from others have none.
 */
export async function verifyProjection(options: VerifyOptions): Promise<Verification> {
  const { projection, build, pool, limit = 20 } = options;
  const layout = layOut(projection);
  const snapshot = await snapshotOf(pool, build, layout);
  const counted: Recount[] = [];
  for (const [topic, partitions] of Object.entries(snapshot.vector)) {
    for (const [partition, to] of Object.entries(partitions)) {
      const place = { topic, partition: Number(partition), to, refused: snapshot.refused };
      if (to > 0) counted.push(await recount(options, layout, place));
    }
  }
  const wantedRows = (table: TableLayout) => rowsOf(table, counted);
  const first: FoundDifference[] = [];
  let differing = 0;
  let rows = 0;
  const compare = (found: Generator<FoundDifference>) => {
    for (const difference of found) {
      differing++;
      if (first.length < limit) first.push(difference);
    }
  };
  for (const table of layout.tables) {
    const built = snapshot.tables.get(table.name) ?? [];
    rows += built.length;
    const all = [built, wantedRows(table)] as const;
    const [there, wanted] = table.kind === "summed" ? all.map((some) => some.filter(saysSomething(table))) : all;
    compare(
      tableDifferences({ ...table, key: table.definition.key }, there ?? [], (wanted ?? []) as readonly WantedRow[]),
    );
  }
  const asRows = (all: readonly Row[]) => all.map((row) => ({ row, source: undefined }));
  for (const table of layout.tables) {
    const built = snapshot.versions.get(table.name);
    if (!built || !table.history) continue;
    rows += built.length;
    const wanted = counted.flatMap((partition) => partition.rows.versions(table).map(versionRow));
    const { name, columns } = table.history;
    const compared = { name, kind: "summed" as const, columns: [...columns, ...versionColumns] };
    const key = [...table.definition.key, "source_offset"];
    compare(tableDifferences({ ...compared, key }, asRows(built), asRows(wanted)));
  }
  const held = counted.flatMap((partition) =>
    partition.held.map(({ event: { topic, partition: number, offset, key }, code }) => {
      return { topic, partition: number, offset, key: storableText(key), code };
    }),
  );
  compare(tableDifferences(parkedKeys, asRows(snapshot.parked), asRows(held)));
  for (const [name, built] of snapshot.derived) {
    const definition = projection.derived?.[name];
    if (!definition) continue;
    rows += built.length;
    const columns = Object.keys(definition.columns).map((column) => ({ name: column }));
    const { key } = definition;
    const isRestricted = definition.restricted === true || key.some((one) => definition.columns[one]?.restricted);
    const compared = { name, kind: "summed" as const, columns, key, isRestricted };
    compare(tableDifferences(compared, asRows(built), asRows(derivedRows(name, definition, layout, wantedRows))));
  }
  const setting = first.length > 0 ? await settingEvents(options, layout, snapshot, first) : [];
  const differences = first.map(({ table, key, what, columns }, index) => {
    return { table, key, what, columns, ...(setting[index] as RowEvents) };
  });
  return {
    events: counted.reduce((sum, { events }) => sum + events, 0),
    rows,
    parkedKeys: held.length,
    vector: snapshot.vector,
    differing,
    differences,
    skipped: snapshot.skipped,
  };
}
