import type { Row } from "./definition.js";
import type { Entity, Slot } from "./entity.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import { PendingRows } from "./pending-rows.js";
import type { HistoryChange, VersionPlace } from "./row-version.js";
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

/** Rows of summed and appended tables that have to change so that what was told once becomes what is told now. */
export interface Difference {
  readonly sums: readonly { readonly table: TableLayout; readonly key: Row; readonly sums: readonly Sum[] }[];
  readonly appended: readonly {
    readonly table: number;
    readonly row: Row;
    readonly offset: number;
    readonly ordinal: number;
  }[];
  /** Offsets of events whose appended rows go. */
  readonly withdrawn: readonly { readonly table: number; readonly offset: number }[];
}

export function added(left: Sum, right: Sum): Sum {
  if (typeof left === "number" && typeof right === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return BigInt(left) + BigInt(right);
}

function sumsOf(table: TableLayout, into: Map<string, SummedChange>, key: Row): Sum[] {
  const name = table.rest.map((column) => String(key[column.name])).join("\0");
  let change = into.get(name);
  if (!change) {
    change = { key, sums: table.sums.map(() => 0) };
    into.set(name, change);
  }
  return change.sums;
}

function addSum(table: TableLayout, into: Map<string, SummedChange>, key: Row, more: readonly Sum[]): void {
  const sums = sumsOf(table, into, key);
  for (const [index, sum] of more.entries()) sums[index] = added(sums[index] ?? 0, sum);
}

function addSums(table: TableLayout, into: Map<string, SummedChange>, scope: SummedScope): void {
  for (const { key, increments } of scope.changes) {
    const sums = sumsOf(table, into, key);
    table.sums.forEach((column, index) => {
      sums[index] = added(sums[index] ?? 0, increments[column.name] ?? 0);
    });
  }
}

/**
 * What events changed since the last statement. The rows of keyed tables are in their entities: each slot that has to be
 * written is named once, so a row that a hundred events changed is written once.
 */
export class Changes {
  /** By the table's index. */
  readonly keyed: readonly Slot[][];
  readonly summed: readonly Map<string, SummedChange>[];
  readonly appended: readonly AppendedChange[][];
  /** Offsets of events whose appended rows, written before, go. */
  readonly withdrawn: readonly Set<number>[];
  /** Of tables that keep their versions: those made, those there that say something else by now, those that go. */
  readonly history: readonly HistoryChange[][];
  readonly mended: readonly HistoryChange[][];
  readonly unmade: readonly VersionPlace[][];
  readonly #tables: readonly TableLayout[];
  /** By the table's index; made when the first rows go. */
  readonly #pending: PendingRows<AppendedChange>[] = [];

  constructor(layout: ProjectionLayout) {
    this.keyed = layout.tables.map(() => []);
    this.summed = layout.tables.map(() => new Map());
    this.appended = layout.tables.map(() => []);
    this.withdrawn = layout.tables.map(() => new Set());
    this.history = layout.tables.map(() => []);
    this.mended = layout.tables.map(() => []);
    this.unmade = layout.tables.map(() => []);
    this.#tables = layout.tables;
  }

  /** Rows to be written, of all tables. */
  get size(): number {
    let rows = 0;
    for (let index = 0; index < this.#tables.length; index++) {
      rows += this.withdrawn[index]?.size ?? 0;
      rows += (this.keyed[index]?.length ?? 0) + (this.summed[index]?.size ?? 0) + (this.appended[index]?.length ?? 0);
      rows += this.history[index]?.length ?? 0;
      rows += (this.mended[index]?.length ?? 0) + (this.unmade[index]?.length ?? 0);
    }
    return rows;
  }

  /** Books what a key that was told again changes in summed and appended tables. */
  book({ sums, appended, withdrawn }: Difference): void {
    for (const { table, key, sums: more } of sums) {
      addSum(table, this.summed[table.index] as Map<string, SummedChange>, key, more);
    }
    for (const { table, offset } of withdrawn) {
      this.#pending[table] ??= new PendingRows(this.appended[table] as AppendedChange[]);
      if (!this.#pending[table].take(offset)) this.withdrawn[table]?.add(offset);
    }
    // Rows of an event are a function of it alone: what was to go, and comes back, stays.
    const back = new Set(appended.filter(({ table, offset }) => this.withdrawn[table]?.has(offset)));
    for (const change of appended) if (!back.has(change)) this.appended[change.table]?.push(change);
    for (const { table, offset } of back) this.withdrawn[table]?.delete(offset);
  }

  /** Makes the changes of one event, which has been applied, part of the entity and of these. */
  take(scopes: readonly AnyScope[], entity: Entity, recordedAt: number, offset: number, event: object): void {
    for (let index = 0; index < scopes.length; index++) {
      const scope = scopes[index];
      if (scope instanceof KeyedScope) {
        if (scope.keepsHistory)
          scope.addVersions(entity, recordedAt, offset, event, this.history[index] as HistoryChange[]);
        scope.commit(entity, recordedAt, offset, this.keyed[index] as Slot[]);
      } else if (scope instanceof SummedScope) {
        addSums(this.#tables[index] as TableLayout, this.summed[index] as Map<string, SummedChange>, scope);
      } else if (scope instanceof AppendedScope) {
        const appended = this.appended[index] as AppendedChange[];
        for (let ordinal = 0; ordinal < scope.changes.length; ordinal++) {
          appended.push({ row: scope.changes[ordinal] as Row, offset, ordinal });
        }
      }
    }
  }
}
