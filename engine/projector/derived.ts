import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { parameterOf, parameterType, putExpression } from "./columns.js";
import type { Column, DerivedTable, Row } from "./definition.js";
import { type DerivedRows, derivedKey, holdable } from "./derived-rows.js";
import type { ProjectionLayout } from "./layout.js";
import { consumerRole, quoted } from "./names.js";
import { readDerived, readTable } from "./read-table.js";
import { valuesEqual } from "./values.js";
import { type Vector, vectorOf } from "./vector.js";

/** What has to be done to a derived table so that it holds other rows. */
interface Difference extends Pick<DerivedRows, "leftOut" | "why"> {
  readonly puts: readonly Row[];
  readonly deletes: readonly Row[];
}

/** Pure: from the rows there to the rows wanted. */
function difference(derived: DerivedTable, there: readonly Row[], wanted: DerivedRows): Difference {
  const { rows, leftOut, why } = wanted;
  const kept = new Map(there.map((row) => [derivedKey(derived, row), row]));
  const columns = Object.keys(derived.columns);
  const puts = [...rows].filter(([key, row]) => {
    const old = kept.get(key);
    return !old || columns.some((column) => !valuesEqual(old[column], row[column]));
  });
  const deletes = [...kept].filter(([key]) => !rows.has(key));
  return { puts: puts.map(([, row]) => row), deletes: deletes.map(([, row]) => row), leftOut, why };
}

/** What a refresh came to. */
export interface Refreshed {
  readonly vector: Vector;
  /** Tables that could not hold all of their rows, with the reason of the first, without the value. */
  readonly leftOut: readonly { readonly table: string; readonly rows: number; readonly why: string | null }[];
}

/** The one statement that brings a derived table and the vector it reflects forward together, behind its fence. */
function statementOf(build: Build, name: string, derived: DerivedTable, change: Difference) {
  const target = `${quoted(build.schema)}.${quoted(name)}`;
  const columns = Object.entries(derived.columns);
  const key = derived.key.map((keyName) => [keyName, derived.columns[keyName] as Column] as const);
  const arrays = (rows: readonly Row[], of: readonly (readonly [string, Column])[]) =>
    of.map(([column, definition]) =>
      parameterOf(
        definition,
        rows.map((row) => row[column]),
      ),
    );
  const values = [...arrays(change.puts, columns), ...arrays(change.deletes, key)];
  const parameter = (column: Column, index: number) => `$${index + 8}::${parameterType(column)}`;
  const names = columns.map(([column]) => quoted(column)).join(", ");
  const set = columns
    .filter(([column]) => !derived.key.includes(column))
    .map(([column]) => `${quoted(column)} = EXCLUDED.${quoted(column)}`);
  const text = `WITH fence AS (
    UPDATE engine.derived_tables SET vector = $5::json, refreshed_at = now(), left_out = $6, left_out_why = $7
    WHERE projection = $1 AND build = $2 AND name = $3 AND epoch = $4 RETURNING 1
  ), put AS (
    INSERT INTO ${target} (${names})
    SELECT ${columns.map(([, column], index) => putExpression(column, `u.c${index}`)).join(", ")}
    FROM unnest(${columns.map(([, column], index) => parameter(column, index)).join(", ")}) AS u (${columns.map((_, index) => `c${index}`).join(", ")})
    WHERE EXISTS (TABLE fence)
    ON CONFLICT (${derived.key.map(quoted).join(", ")}) DO ${set.length > 0 ? `UPDATE SET ${set.join(", ")}` : "NOTHING"}
  ), gone AS (
    DELETE FROM ${target} AS t
    USING unnest(${key.map(([, column], index) => parameter(column, columns.length + index)).join(", ")}) AS d (${key.map((_, index) => `c${index}`).join(", ")})
    WHERE ${key.map(([column], index) => `t.${quoted(column)} = d.c${index}`).join(" AND ")} AND EXISTS (TABLE fence)
  ) SELECT count(*) FROM fence`;
  return { text, values };
}

/**
 * Keeps the derived tables of one build. One keeper at a time: taking over raises the epoch, and only the last one writes.
 */
export class DerivedTables {
  readonly #pool: Pool;
  readonly #build: Build;
  readonly #layout: ProjectionLayout;
  readonly #owner: string;
  readonly #epochs = new Map<string, number>();

  constructor(pool: Pool, build: Build, layout: ProjectionLayout, owner: string) {
    this.#pool = pool;
    this.#build = build;
    this.#layout = layout;
    this.#owner = owner;
  }

  get names(): readonly string[] {
    return Object.keys(this.#layout.definition.derived ?? {});
  }

  async takeOver(): Promise<void> {
    for (const name of this.names) this.#epochs.set(name, await this.#raise(name));
  }

  /** Raises the epoch of a table, if it still is the one seen: what arrives late takes nothing from who came meanwhile. */
  async #raise(name: string): Promise<number> {
    const { projection, build, consumer } = this.#build;
    const place = [projection, build, name];
    for (;;) {
      const { rows: seen } = await this.#pool.query<{ epoch: number }>(
        "SELECT epoch FROM engine.derived_tables WHERE projection = $1 AND build = $2 AND name = $3",
        place,
      );
      if (!seen[0]) {
        await this.#pool.query(
          `INSERT INTO engine.derived_tables (projection, build, name, epoch, owner, consumer_role)
           VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (projection, build, name) DO NOTHING`,
          [...place, this.#owner, consumerRole(consumer)],
        );
        continue;
      }
      const { rows } = await this.#pool.query<{ epoch: number }>(
        `UPDATE engine.derived_tables SET epoch = epoch + 1, owner = $4
         WHERE projection = $1 AND build = $2 AND name = $3 AND epoch = $5 RETURNING epoch`,
        [...place, this.#owner, seen[0].epoch],
      );
      if (rows[0]) return Number(rows[0].epoch);
    }
  }

  /**
   * Computes all derived tables from one snapshot and writes what differs. Rows that a table can't hold are left out of it
   * and counted beside its vector. A table that can't be derived stays as it is, and the others go on.
   * @returns the vector they now reflect, and how many rows were left out of each.
   * @throws TRIB_PROJECT_FENCE_LOST when another keeper took over; what a derivation throws, once the others are written.
   */
  async refresh(): Promise<Refreshed> {
    const { vector, changes, failures } = await this.#compute();
    for (const [name, change] of changes) {
      const { text, values } = statementOf(this.#build, name, this.#derived(name), change);
      const { rows } = await this.#pool.query<{ count: number }>(text, [
        this.#build.projection,
        this.#build.build,
        name,
        this.#epochs.get(name) ?? 0,
        JSON.stringify(vector),
        change.leftOut,
        change.why,
        ...values,
      ]);
      if (Number(rows[0]?.count) !== 1) {
        throw new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, { projection: this.#layout.name, table: name });
      }
    }
    if (failures.length > 0) throw failures[0];
    const leftOut = [...changes].filter(([, change]) => change.leftOut > 0);
    return { vector, leftOut: leftOut.map(([table, { leftOut: rows, why }]) => ({ table, rows, why })) };
  }

  #derived(name: string): DerivedTable {
    return this.#layout.definition.derived?.[name] as DerivedTable;
  }

  async #compute() {
    const client = await this.#pool.connect();
    let broken = true;
    try {
      // Read only: it holds no lock that anybody waits for.
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const vector = await vectorOf(client, this.#build);
      const from = new Map<string, readonly Row[]>();
      const there = new Map<string, readonly Row[]>();
      for (const name of this.names) {
        there.set(name, await readDerived(client, this.#build, name, this.#derived(name)));
        for (const source of this.#derived(name).from) {
          const table = this.#layout.tables.find((candidate) => candidate.name === source);
          if (table && !from.has(source)) {
            from.set(
              source,
              (await readTable(client, this.#build, table)).map(({ row }) => row),
            );
          }
        }
      }
      await client.query("COMMIT");
      broken = false;
      const changes = new Map<string, Difference>();
      const failures: unknown[] = [];
      for (const name of this.names) {
        const derived = this.#derived(name);
        const given = Object.fromEntries(derived.from.map((source) => [source, from.get(source) ?? []]));
        try {
          const wanted = holdable(name, derived, derived.derive(given));
          changes.set(name, difference(derived, there.get(name) ?? [], wanted));
        } catch (error) {
          failures.push(error);
        }
      }
      return { vector, changes, failures };
    } finally {
      client.release(broken);
    }
  }
}
