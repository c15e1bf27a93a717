import { setTimeout as pause } from "node:timers/promises";
import type { Build } from "../projector/build.js";
import type { AnyProjection, Column, DerivedTable } from "../projector/definition.js";
import { type ColumnLayout, type HistoryLayout, layOut, type TableLayout } from "../projector/layout.js";
import { quoted } from "../projector/names.js";
import { topicsOfProjections } from "../projector/roles.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

/** What two builds have in one table of one partition. */
export interface TableDifference {
  readonly table: string;
  /** Null for a table that is derived from others: it is of all partitions. */
  readonly topic: string | null;
  readonly partition: number | null;
  /** Rows in the one and the other. */
  readonly rows: readonly [number, number];
  /** `clear` columns, or only `restricted` ones, hash otherwise. */
  readonly what: "clear" | "restricted";
}

export interface Comparison {
  /** Rows compared, by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly parkedKeys: number;
  readonly differences: readonly TableDifference[];
  /** Derived tables that never stood at the same positions in both builds, and so were not compared. */
  readonly skipped: readonly string[];
}

export interface CompareOptions {
  readonly pool: Pool;
  readonly projection: AnyProjection;
  /** Usually the current build and the new one. */
  readonly builds: readonly [Build, Build];
  /** Milliseconds in which every partition has to be met at one position in both; default 120,000. */
  readonly timeout?: number;
  /** Milliseconds in which derived tables, which are made anew now and then, have to be met so after that; default 5,000. */
  readonly derivedTimeout?: number;
  readonly signal?: AbortSignal;
}

/** Row count and hashes of a table in a partition. The sum of rows' hashes knows no order. */
interface Digest {
  readonly rows: number;
  readonly clear: string;
  readonly restricted: string;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

type Queryable = { query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }> };

const longestPause = 40;

/** Texts of JSON differ in what doesn't count. */
const hashed = (name: string, column: Column | undefined) =>
  column?.kind === "json" ? `t.${quoted(name)}::jsonb` : `t.${quoted(name)}`;

const sumOf = (expressions: readonly string[]) =>
  expressions.length === 0
    ? "'0'"
    : `coalesce(sum(hashtextextended(ROW(${expressions.join(", ")})::text, 0)::numeric), 0)::text`;

function digestText(table: TableLayout, build: Build): string {
  const isRestricted = (column: Column) => table.definition.restricted === true || column.restricted === true;
  const expressions = (restricted: boolean) =>
    table.columns
      .filter(({ column }) => isRestricted(column) === restricted)
      .map(({ name, column }) => hashed(name, column));
  const engine = {
    keyed: ["recorded_at", "source_offset"],
    summed: [],
    appended: ["source_offset", "source_ordinal"],
  }[table.kind].map((name) => `t.${name}`);
  const restricted = expressions(true);
  // With the row's key: what is another row's is no sign of equality.
  const own =
    table.kind === "appended"
      ? engine
      : table.columns.filter(({ inKey }) => inKey).map(({ name, column }) => hashed(name, column));
  // A keyed table has one topic, and its rows don't say which.
  const topic = table.kind === "keyed" ? "" : "t.source_topic = $1 AND ";
  return `SELECT count(*) AS rows, ${sumOf([...expressions(false), ...engine])} AS clear,
      ${sumOf(restricted.length > 0 ? [...own, ...restricted] : [])} AS restricted
    FROM ${quoted(build.schema)}.${quoted(table.name)} t
    WHERE ${topic}t.source_partition = $2 AND $1::text IS NOT NULL`;
}

/** Versions have nothing restricted. */
function versionsText(table: TableLayout, history: HistoryLayout, build: Build): string {
  const columns = [table.keyColumn as ColumnLayout, ...history.columns].map(({ name, column }) => hashed(name, column));
  const engine = ["event_occurred_at", "recorded_at", "removed", "source_offset"].map((name) => `t.${name}`);
  return `SELECT count(*) AS rows, ${sumOf([...columns, ...engine])} AS clear, '0' AS restricted
    FROM ${quoted(build.schema)}.${quoted(history.name)} t WHERE t.source_partition = $2 AND $1::text IS NOT NULL`;
}

const parkedText = `SELECT count(*) AS rows, ${sumOf(["t.log_offset", "t.key", "t.code", "t.event_id", "t.event_type"])} AS clear, '0' AS restricted
  FROM engine.parked_keys t WHERE topic = $1 AND partition = $2 AND projection = $3 AND build = $4 AND state <> 'done'`;

function derivedText({ columns, key, restricted: whole }: DerivedTable, name: string, build: Build): string {
  const expressions = (restricted: boolean) =>
    Object.entries(columns)
      .filter(([, column]) => (whole === true || column.restricted === true) === restricted)
      .map(([columnName, column]) => hashed(columnName, column));
  const restricted = expressions(true);
  const own = key.map((column) => hashed(column, columns[column]));
  return `SELECT count(*) AS rows, ${sumOf(expressions(false))} AS clear,
      ${sumOf(restricted.length > 0 ? [...own, ...restricted] : [])} AS restricted
    FROM ${quoted(build.schema)}.${quoted(name)} t`;
}

/** Derived tables that reflect the same positions in both builds, in the snapshot. */
async function equalDerived(reader: Queryable, [one, other]: readonly [Build, Build]): Promise<ReadonlySet<string>> {
  const { rows } = await reader.query(
    `SELECT a.name FROM engine.derived_tables a JOIN engine.derived_tables b USING (projection, name)
     WHERE a.projection = $1 AND a.build = $2 AND b.build = $3 AND a.vector::jsonb = b.vector::jsonb`,
    [one.projection, one.build, other.build],
  );
  return new Set((rows as { name: string }[]).map(({ name }) => name));
}

async function digestOf(reader: Queryable, text: string, values: unknown[]): Promise<Digest> {
  const { rows } = await reader.query(text, values);
  const { rows: count, clear, restricted } = rows[0] as Digest;
  return { rows: Number(count), clear, restricted };
}

/** Where both builds stand at the same positions, in the snapshot. */
async function equalPlaces(reader: Queryable, [one, other]: readonly [Build, Build]): Promise<ReadonlySet<string>> {
  const { rows } = await reader.query(
    `SELECT a.topic, a.partition FROM engine.checkpoints a
     JOIN engine.checkpoints b USING (projection, topic, partition, next_offset)
     WHERE a.projection = $1 AND a.build = $2 AND b.build = $3`,
    [one.projection, one.build, other.build],
  );
  return new Set((rows as Place[]).map(({ topic, partition }) => `${topic}/${partition}`));
}

async function placesOf(
  pool: Pool,
  projection: AnyProjection,
  [one, other]: readonly [Build, Build],
): Promise<Place[]> {
  const { rows } = await pool.query<Place>(
    `SELECT DISTINCT topic, partition FROM engine.checkpoints
     WHERE projection = $1 AND build = ANY ($2) AND topic = ANY ($3) ORDER BY 1, 2`,
    [projection.name, [one.build, other.build], topicsOfProjections([projection])],
  );
  return rows;
}

/**
 * Compares two builds of one version, all hidden and restricted columns included, while both are fed: each partition when a
 * snapshot meets both at the same position, and each derived table when it reflects the same positions in both. Under
 * traffic that may not come to pass for a derived table: it is a function of the others, and told as not compared.
 *
 * @throws TRIB_REPLAY_COMPARE_TIMEOUT when some partition was never met so.
 */
export async function compareBuilds(options: CompareOptions): Promise<Comparison> {
  const { pool, projection, builds, timeout = 120_000, derivedTimeout = 5_000, signal } = options;
  const layout = layOut(projection);
  const deadline = performance.now() + timeout;
  const rows: Record<string, number> = Object.fromEntries(layout.tables.map(({ name }) => [name, 0]));
  const differences: TableDifference[] = [];
  let parkedKeys = 0;
  let left = await placesOf(pool, projection, builds);
  let derived = Object.entries(projection.derived ?? {});
  let derivedDeadline = Number.POSITIVE_INFINITY;

  const take = async (table: string, place: Place | null, digest: (build: Build) => Promise<Digest>) => {
    const [one, other] = [await digest(builds[0]), await digest(builds[1])];
    const clear = one.rows === other.rows && one.clear === other.clear;
    if (!clear || one.restricted !== other.restricted) {
      const what = clear ? "restricted" : "clear";
      const { topic = null, partition = null } = place ?? {};
      differences.push({ table, topic, partition, rows: [one.rows, other.rows], what });
    }
    return other;
  };
  const counted = async (table: string, place: Place | null, digest: (build: Build) => Promise<Digest>) => {
    rows[table] = (rows[table] ?? 0) + (await take(table, place, digest)).rows;
  };
  const compare = async (reader: Queryable, place: Place): Promise<void> => {
    const { topic, partition } = place;
    for (const table of layout.tables) {
      await counted(table.name, place, (build) => digestOf(reader, digestText(table, build), [topic, partition]));
      const { history } = table;
      if (!history) continue;
      await counted(history.name, place, (build) =>
        digestOf(reader, versionsText(table, history, build), [topic, partition]),
      );
    }
    const parked = await take("parked keys", place, (build) =>
      digestOf(reader, parkedText, [topic, partition, build.projection, build.build]),
    );
    parkedKeys += parked.rows;
  };

  while (left.length > 0 || derived.length > 0) {
    signal?.throwIfAborted();
    const client = await pool.connect();
    let broken = true;
    try {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const equal = await equalPlaces(client, builds);
      const met = left.filter(({ topic, partition }) => equal.has(`${topic}/${partition}`));
      for (const place of met) await compare(client, place);
      const standing = await equalDerived(client, builds);
      for (const [name, table] of derived) {
        if (!standing.has(name)) continue;
        await counted(name, null, (build) => digestOf(client, derivedText(table, name, build), []));
      }
      await client.query("COMMIT");
      broken = false;
      left = left.filter((place) => !met.includes(place));
      derived = derived.filter(([name]) => !standing.has(name));
    } finally {
      client.release(broken);
    }
    if (left.length === 0) {
      derivedDeadline = Math.min(derivedDeadline, performance.now() + derivedTimeout);
      if (derived.length === 0 || performance.now() > derivedDeadline) break;
    } else if (performance.now() > deadline) {
      const [first] = left as [Place, ...Place[]];
      throw new TributaryError(
        "TRIB_REPLAY_COMPARE_TIMEOUT",
        `Builds ${builds[0].build} and ${builds[1].build} of ${projection.name} were never seen at one position of ${first.topic}/${first.partition}.`,
        { projection: projection.name, ...first },
      );
    }
    // Any time: two writers that take turns evenly must not be met at the same moment always.
    await pause(1 + Math.random() * longestPause);
  }
  return { rows, parkedKeys, differences, skipped: derived.map(([name]) => name) };
}
