import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import { getExpression, parameterOf, parameterType, readValue } from "./columns.js";
import type { ProjectionLayout } from "./layout.js";
import { quoted } from "./names.js";
import { restOf } from "./scope.js";

/** Names a version among those of its table. */
export const versionName = ({ key, rest, offset }: { key: string; rest: string; offset: number }): string =>
  `${key} ${offset} ${rest}`;

/** Names of the versions that a build has of these keys, by the table's index: what is written already is not added again. */
export async function keptVersions(
  pool: Pool,
  layout: ProjectionLayout,
  { build, partition }: LanePlace,
  keys: Iterable<string>,
): Promise<readonly ReadonlySet<string>[]> {
  const all = [...keys];
  return Promise.all(
    layout.tables.map(async (table) => {
      const { history, keyColumn: key, rest } = table;
      // A key that its column can't hold has no rows; asking for it would fail.
      const asked = history && key ? all.filter((each) => key.problemOf(each) === undefined) : [];
      if (!history || !key || asked.length === 0) return new Set<string>();
      const columns = [key, ...rest].map(({ name, column }) => getExpression(column, name));
      const { rows } = await pool.query<(string | null)[]>({
        text: `SELECT ${columns.join(", ")}, t.source_offset FROM ${quoted(build.schema)}.${quoted(history.name)} t
          WHERE t.${quoted(key.name)} = ANY ($1::${parameterType(key.column)}) AND t.source_partition = $2`,
        values: [parameterOf(key.column, asked), partition],
        rowMode: "array",
        types: { getTypeParser: () => (text: string) => text },
      });
      const names = rows.map((values) => {
        const row = Object.fromEntries(
          rest.map(({ name, column }, index) => [name, readValue(column, values[index + 1] ?? null)]),
        );
        return versionName({ key: values[0] as string, rest: restOf(table, row), offset: Number(values.at(-1)) });
      });
      return new Set(names);
    }),
  );
}
