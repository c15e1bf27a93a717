import type { Queryable } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { quoted } from "../projector/names.js";
import type { AsOf } from "../replay/as-of.js";
import type { Pool } from "../store/pool.js";

/** A row that is not the same in two as-ofs. */
export interface RowDifference {
  readonly table: string;
  /** Columns of its key. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly change: "added" | "changed" | "removed";
  /** Columns outside the key with their values before and after, as JSON has them. */
  readonly columns: Readonly<Record<string, readonly [before: unknown, after: unknown]>>;
}

export interface TableDifferences {
  /** Rows that differ, in all. */
  readonly differing: number;
  /** The first of them, in the order of their keys. */
  readonly rows: readonly RowDifference[];
}

/** Where a row came from last says nothing about what it holds. */
const places = ["recorded_at", "source_topic", "source_partition", "source_offset"];

/** Tables whose rows have a key, by name: appended ones only grow, views only show. */
function keyedTables({ tables, derived = {} }: AnyProjection): ReadonlyMap<string, readonly string[]> {
  const own = Object.entries(tables).filter(([, { kind, hidden }]) => kind !== "appended" && !hidden);
  const made = Object.entries(derived).filter(([, { hidden, overlays }]) => !hidden && overlays === undefined);
  return new Map([...own, ...made].map(([name, { key }]) => [name, key] as const));
}

type Values = Readonly<Record<string, unknown>>;

function difference(table: string, key: readonly string[], before: Values | null, after: Values | null): RowDifference {
  const columns: Record<string, readonly [unknown, unknown]> = {};
  for (const name of Object.keys(after ?? before ?? {})) {
    const [left, right] = [before?.[name] ?? null, after?.[name] ?? null];
    if (!key.includes(name) && JSON.stringify(left) !== JSON.stringify(right)) columns[name] = [left, right];
  }
  return {
    table,
    key: Object.fromEntries(key.map((name) => [name, (after ?? before)?.[name]])),
    change: !before ? "added" : after ? "changed" : "removed",
    columns,
  };
}

/**
 * Rows of a projection that are not the same in two as-ofs of it: in tables with a key, as their views show them.
 * @param limit most rows told of a table.
 */
export async function differencesOf(
  pool: Pool,
  projection: AnyProjection,
  from: Pick<AsOf, "schema">,
  to: Pick<AsOf, "schema">,
  limit: number,
): Promise<Readonly<Record<string, TableDifferences>>> {
  const client = await pool.connect();
  try {
    // Instants are written in the session's zone.
    await client.query("SET TimeZone = 'UTC'");
    return await differencesSeen(client, projection, from, to, limit);
  } finally {
    // A session of its own: the next user has the zone of the server.
    client.release(true);
  }
}

async function differencesSeen(
  reader: Queryable,
  projection: AnyProjection,
  from: Pick<AsOf, "schema">,
  to: Pick<AsOf, "schema">,
  limit: number,
): Promise<Readonly<Record<string, TableDifferences>>> {
  const found: Record<string, TableDifferences> = {};
  const without = `ARRAY[${places.map((name) => `'${name}'`).join(", ")}]`;
  const rowsOf = (schema: string, table: string, key: readonly string[]) =>
    `(SELECT ${key.map((name) => `v.${quoted(name)}`).join(", ")}, to_jsonb(v) - ${without} AS whole FROM ${quoted(schema)}.${quoted(table)} v)`;
  for (const [table, key] of keyedTables(projection)) {
    const names = key.map(quoted).join(", ");
    const { rows } = await reader.query(
      `SELECT a.whole AS before, b.whole AS after, count(*) OVER () AS differing
       FROM ${rowsOf(from.schema, table, key)} a FULL JOIN ${rowsOf(to.schema, table, key)} b USING (${names})
       WHERE a.whole IS DISTINCT FROM b.whole ORDER BY ${names} LIMIT $1`,
      [limit],
    );
    const differing = rows as readonly { before: Values | null; after: Values | null; differing: number }[];
    found[table] = {
      differing: Number(differing[0]?.differing ?? 0),
      rows: differing.map(({ before, after }) => difference(table, key, before, after)),
    };
  }
  return found;
}
