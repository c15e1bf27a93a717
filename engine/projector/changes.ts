import type { Row } from "./definition.js";
import type { ChangeSource, Entity } from "./entity.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import { type AnyScope, AppendedScope, KeyedScope, SummedScope } from "./scope.js";

/** A sum in the making: a number while exact, else a bigint. */
export type Sum = number | bigint;

export interface SummedChange {
  readonly key: Row;
  /** In the order of the table's `sums`. */
  readonly sums: Sum[];
}

export interface AppendedChange {
  readonly row: Row;
  readonly offset: number;
  /** Number of the row among those of its event and table, from 0. */
  readonly ordinal: number;
}

export function added(left: Sum, right: number): Sum {
  if (typeof left === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return BigInt(left) + BigInt(right);
}

function addSums(table: TableLayout, into: Map<string, SummedChange>, scope: SummedScope): void {
  for (const { key, increments } of scope.changes) {
    const name = table.rest.map((column) => String(key[column.name])).join("\0");
    let change = into.get(name);
    if (!change) {
      change = { key, sums: table.sums.map(() => 0) };
      into.set(name, change);
    }
    const { sums } = change;
    table.sums.forEach((column, index) => {
      sums[index] = added(sums[index] ?? 0, increments[column.name] ?? 0);
    });
  }
}

/**
 * What the events of a batch changed, at most one final action a row. The rows themselves are in the entities:
 * a keyed change names the entity and the rest of the row's key.
 */
export class Changes {
  readonly keyed: readonly Map<string, { readonly entity: Entity; readonly rest: string }>[];
  readonly summed: readonly Map<string, SummedChange>[];
  readonly appended: readonly AppendedChange[][];

  constructor(layout: ProjectionLayout) {
    this.keyed = layout.tables.map(() => new Map());
    this.summed = layout.tables.map(() => new Map());
    this.appended = layout.tables.map(() => []);
    this.#tables = layout.tables;
  }

  readonly #tables: readonly TableLayout[];

  /** Makes the changes of one event, which has been applied, part of the entity and of the batch. */
  take(scopes: readonly AnyScope[], entity: Entity, source: ChangeSource): void {
    for (const table of this.#tables) {
      const scope = scopes[table.index];
      if (scope instanceof KeyedScope) {
        for (const [rest, row] of scope.changes) {
          const before = entity.rowsOf(table.index)?.get(rest);
          const kept = before && scope.isRestrictedOnly(rest) ? before.source : source;
          if (row) entity.put(table.index, rest, { row, source: kept });
          else entity.delete(table.index, rest);
          this.keyed[table.index]?.set(rest === "" ? entity.key : `${entity.key}\0${rest}`, { entity, rest });
        }
      } else if (scope instanceof SummedScope) {
        addSums(table, this.summed[table.index] as Map<string, SummedChange>, scope);
      } else if (scope instanceof AppendedScope) {
        scope.changes.forEach((row, ordinal) => {
          this.appended[table.index]?.push({ row, offset: source.offset, ordinal });
        });
      }
    }
  }
}
