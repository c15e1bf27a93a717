import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { arrayLiteral, getExpression, parameterType, readValue } from "./columns.js";
import type { ColumnValue } from "./definition.js";
import type { Entity } from "./entity.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { quoted } from "./names.js";
import { restOf } from "./scope.js";
import { valueProblem } from "./values.js";

/** Every value as Postgres prints it: the columns' own readers know better than any parser by type. */
const asText = { getTypeParser: () => (text: string) => text };

interface Load {
  readonly table: TableLayout;
  readonly name: string;
  readonly text: string;
}

/** Reads the rows of entities, one SELECT a keyed table. */
export class Loader {
  readonly #loads: readonly Load[];

  constructor(layout: ProjectionLayout, build: Build) {
    this.#loads = layout.keyed.map((table) => {
      const key = table.keyColumn as ColumnLayout;
      const columns = [
        getExpression(key.column, key.name),
        ...table.given.map(({ name, column }) => getExpression(column, name)),
        "(extract(epoch from t.recorded_at) * 1000)::bigint",
        "t.source_partition",
        "t.source_offset",
      ];
      return {
        table,
        name: `load_${build.schema}_${table.index}`.slice(-60),
        text: `SELECT ${columns.join(", ")} FROM ${quoted(build.schema)}.${quoted(table.name)} t WHERE t.${quoted(key.name)} = ANY ($1::${parameterType(key.column)})`,
      };
    });
  }

  /** Fills entities that have no rows in memory yet. */
  async fill(pool: Pool, entities: ReadonlyMap<string, Entity>): Promise<void> {
    await Promise.all(this.#loads.map((load) => this.#fillTable(pool, load, entities)));
  }

  async #fillTable(pool: Pool, { table, name, text }: Load, entities: ReadonlyMap<string, Entity>): Promise<void> {
    const key = (table.keyColumn as ColumnLayout).column;
    // A key that its column can't hold has no rows; asking for it would fail.
    const keys = [...entities.keys()].filter((candidate) => valueProblem(key, true, candidate) === undefined);
    if (keys.length === 0) return;
    const { rows } = await pool.query<(string | null)[]>({
      name,
      text,
      values: [arrayLiteral(keys)],
      rowMode: "array",
      types: asText,
    });
    for (const values of rows) {
      const row: Record<string, ColumnValue> = {};
      table.given.forEach(({ name: column, column: definition }, index) => {
        row[column] = readValue(definition, values[index + 1] ?? null);
      });
      const [recordedAt, partition, offset] = values.slice(-3).map(Number) as [number, number, number];
      entities
        .get(values[0] as string)
        ?.put(table.index, restOf(table, row), { row, source: { recordedAt, partition, offset } });
    }
  }
}
