import type { Pool } from "../store/pool.js";
import type { Changes } from "./changes.js";
import type { LanePlace } from "./checkpoint.js";
import { parameterOf, parameterType } from "./columns.js";
import type { Row } from "./definition.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { quoted } from "./names.js";
import { readVersions, versionColumns } from "./read-table.js";
import type { HistoryChange, VersionPlace } from "./row-version.js";
import { restOf, versionValue } from "./scope.js";
import { valuesEqual } from "./values.js";

/** Versions that a build has of some keys, by the table's index and the place of each. */
export type KeptVersions = readonly ReadonlyMap<string, KeptVersion>[];

interface KeptVersion extends VersionPlace {
  readonly row: Row;
}

/** Names a version among those of its table. */
const nameOf = ({ key, rest, offset }: VersionPlace): string => `${key} ${offset} ${rest}`;

/** Reads the versions that a build has of these keys. */
export async function keptVersions(
  pool: Pool,
  layout: ProjectionLayout,
  { build, partition }: LanePlace,
  keys: Iterable<string>,
): Promise<KeptVersions> {
  const all = [...keys];
  return Promise.all(
    layout.tables.map(async (table) => {
      const { history, keyColumn: key } = table;
      // A key that its column can't hold has no rows; asking for it would fail.
      const asked = history && key ? all.filter((each) => key.problemOf(each) === undefined) : [];
      if (!history || !key || asked.length === 0) return new Map<string, KeptVersion>();
      const rows = await readVersions(pool, build, table, {
        text: `WHERE t.${quoted(key.name)} = ANY ($1::${parameterType(key.column)}) AND t.source_partition = $2`,
        values: [parameterOf(key.column, asked), partition],
      });
      const versions = rows.map((row) => {
        const place = { key: row[key.name] as string, rest: restOf(table, row), offset: Number(row.source_offset) };
        return [nameOf(place), { ...place, row }] as const;
      });
      return new Map(versions);
    }),
  );
}

/** A version as {@link readVersions} would read it. */
function versionRow(table: TableLayout, { key, rest, row, occurredAt, recordedAt, offset }: HistoryChange): Row {
  const kept = table.history?.columns ?? [];
  return {
    [(table.keyColumn as ColumnLayout).name]: key,
    ...Object.fromEntries(kept.map((column, index) => [column.name, versionValue(table, column, row, rest, index)])),
    event_occurred_at: occurredAt,
    recorded_at: recordedAt,
    removed: row === undefined,
    source_offset: offset,
  };
}

/** Makes the versions of keys those of a life: what was believed while they were held was believed in no rebuild. */
export function adoptVersions(layout: ProjectionLayout, changes: Changes, kept: KeptVersions, life: Changes): void {
  for (const table of layout.tables) {
    const { index, history } = table;
    if (!history) continue;
    const left = new Map(kept[index]);
    for (const version of life.history[index] ?? []) {
      const name = nameOf(version);
      const there = left.get(name);
      left.delete(name);
      if (!there) {
        changes.history[index]?.push(version);
        continue;
      }
      const row = versionRow(table, version);
      const names = [...history.columns, ...versionColumns].map(({ name: column }) => column);
      if (names.some((column) => !valuesEqual(there.row[column], row[column]))) changes.mended[index]?.push(version);
    }
    changes.unmade[index]?.push(...left.values());
  }
}
