import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { getExpression, parameterOf, parameterType, valueReader } from "./columns.js";
import type { ColumnValue } from "./definition.js";
import type { Entity } from "./entity.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { quoted } from "./names.js";
import { restOf } from "./scope.js";

/** Every value as Postgres prints it: the columns' own readers know better than any parser by type. */
const asText = { getTypeParser: () => (text: string) => text };

interface Load {
  readonly table: TableLayout;
  readonly key: ColumnLayout;
  readonly readers: readonly ((text: string | null) => ColumnValue)[];
  readonly target: string;
  readonly name: string;
  readonly text: string;
}

interface Request {
  readonly entities: ReadonlyMap<string, Entity>;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Reads the rows of entities, one SELECT a keyed table for all lanes of a build that ask in one turn. */
export class Loader {
  readonly #pool: Pool;
  readonly #loads: readonly Load[];
  #requests: Request[] = [];

  constructor(pool: Pool, layout: ProjectionLayout, build: Build) {
    this.#pool = pool;
    this.#loads = layout.keyed.map((table) => {
      const key = table.keyColumn as ColumnLayout;
      const columns = [
        getExpression(key.column, key.name),
        ...table.given.map(({ name, column }) => getExpression(column, name)),
        "(extract(epoch from t.recorded_at) * 1000)::bigint",
        "t.source_offset",
      ];
      const target = `${quoted(build.schema)}.${quoted(table.name)}`;
      return {
        table,
        key,
        target,
        readers: table.given.map(({ column }) => valueReader(column)),
        name: `load_${build.schema}_${table.index}`.slice(-60),
        text: `SELECT ${columns.join(", ")} FROM ${target} t WHERE t.${quoted(key.name)} = ANY ($1::${parameterType(key.column)})`,
      };
    });
  }

  /** Whether the keyed tables have no row at all. */
  async isEmpty(): Promise<boolean> {
    if (this.#loads.length === 0) return true;
    const { rows } = await this.#pool.query<{ empty: boolean }>(
      `SELECT NOT (${this.#loads.map(({ target }) => `EXISTS (SELECT FROM ${target})`).join(" OR ")}) AS empty`,
    );
    return rows[0]?.empty === true;
  }

  /** Fills entities that have no rows in memory yet. */
  fill(entities: ReadonlyMap<string, Entity>): Promise<void> {
    return new Promise((done, failed) => {
      this.#requests.push({ entities, done, failed });
      if (this.#requests.length === 1) setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    const requests = this.#requests;
    this.#requests = [];
    const [first, ...others] = requests as [Request, ...Request[]];
    const entities = others.length === 0 ? first.entities : new Map(requests.flatMap((each) => [...each.entities]));
    try {
      await Promise.all(this.#loads.map((load) => this.#fillTable(load, entities)));
      for (const { done } of requests) done();
    } catch (error) {
      for (const { failed } of requests) failed(error);
    }
  }

  async #fillTable({ table, key, readers, name, text }: Load, entities: ReadonlyMap<string, Entity>): Promise<void> {
    // A key that its column can't hold has no rows; asking for it would fail.
    const keys = [...entities.keys()].filter((candidate) => key.problemOf(candidate) === undefined);
    if (keys.length === 0) return;
    const { rows } = await this.#pool.query<(string | null)[]>({
      name,
      text,
      values: [parameterOf(key.column, keys)],
      rowMode: "array",
      types: asText,
    });
    for (const values of rows) {
      const row: Record<string, ColumnValue> = {};
      for (let index = 0; index < readers.length; index++) {
        const { name: column } = table.given[index] as ColumnLayout;
        row[column] = (readers[index] as (text: string | null) => ColumnValue)(values[index + 1] ?? null);
      }
      const entity = entities.get(values[0] as string);
      if (!entity) continue;
      const slot = entity.ensureSlot(table.index, restOf(table, row));
      slot.row = row;
      slot.stored = true;
      slot.recordedAt = Number(values[readers.length + 1]);
      slot.offset = Number(values[readers.length + 2]);
    }
  }
}
