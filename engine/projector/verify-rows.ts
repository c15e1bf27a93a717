import type { Row } from "./definition.js";
import type { LaneEvent } from "./events.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { valuesEqual } from "./values.js";
import type { RowsOfKey } from "./verify-key.js";

/** A row changed by an event of its key. */
export interface RowChanged {
  readonly event: LaneEvent;
  readonly table: TableLayout;
  /** The key's own column and those of the rest. */
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** The event that changed a row last. */
export interface RowSource {
  readonly recordedAt: number;
  readonly partition: number;
  readonly offset: number;
}

export interface TrailRow {
  /** Every column, the event's key included. */
  readonly row: Row;
  readonly source: RowSource;
}

/** A version of a row, as an event left it. */
export interface TrailVersion {
  /** The columns that versions keep, the key included; of a row removed the key alone, the others null. */
  readonly row: Row;
  readonly removed: boolean;
  readonly occurredAt: number | null;
  readonly recordedAt: number;
  readonly offset: number;
}

interface Placed {
  readonly key: string;
  readonly row: Row;
  readonly source: RowSource;
}

const equalIn = (columns: readonly ColumnLayout[], left: Row, right: Row) =>
  columns.every(({ name }) => valuesEqual(left[name], right[name]));

/** Rows of keyed tables with what the engine tells of each: the event that changed it last, and its versions. */
export class RowTrail {
  readonly #tables: readonly TableLayout[];
  readonly #partition: number;
  readonly #changed: ((change: RowChanged) => void) | undefined;
  readonly #rows: Map<string, Placed>[];
  readonly #versions: TrailVersion[][];

  constructor(layout: ProjectionLayout, partition: number, changed?: (change: RowChanged) => void) {
    this.#tables = layout.keyed;
    this.#partition = partition;
    this.#changed = changed;
    this.#rows = layout.tables.map(() => new Map());
    this.#versions = layout.tables.map(() => []);
  }

  rows({ index, keyColumn }: TableLayout): readonly TrailRow[] {
    return [...(this.#rows[index]?.values() ?? [])].map(({ key, row, source }) => ({
      row: { [keyColumn?.name ?? ""]: key, ...row },
      source,
    }));
  }

  versions({ index }: TableLayout): readonly TrailVersion[] {
    return this.#versions[index] ?? [];
  }

  /** Takes what an event made of the rows of its key. */
  take(event: LaneEvent, before: RowsOfKey, after: RowsOfKey): void {
    for (const table of this.#tables) {
      const [was, is] = [before[table.index], after[table.index]];
      if (was === is || !was || !is) continue;
      for (const [rest, row] of is) this.#one(table, event, rest, was.get(rest), row);
      for (const [rest, row] of was) if (!is.has(rest)) this.#one(table, event, rest, row, undefined);
    }
  }

  #one(table: TableLayout, event: LaneEvent, rest: string, was: Row | undefined, is: Row | undefined): void {
    if (was === is || (was && is && equalIn(table.given, was, is))) return;
    const { key, offset, position } = event;
    const rows = this.#rows[table.index] as Map<string, Placed>;
    const name = `${key}\0${rest}`;
    const source = { recordedAt: position.recordedAt, partition: this.#partition, offset };
    // Who changes only what identifies a person leaves no trace among what everybody sees.
    const isHidden = was && is && equalIn(table.clear, was, is);
    if (is) rows.set(name, { key, row: is, source: isHidden ? (rows.get(name)?.source ?? source) : source });
    else rows.delete(name);
    this.#changed?.({ event, table, before: was, after: is });
    if (table.history) this.#version(table, event, was, is);
  }

  #version(table: TableLayout, { key, offset, position, event }: LaneEvent, was: Row | undefined, is: Row | undefined) {
    const kept = table.history?.columns ?? [];
    if (was && is && equalIn(kept, was, is)) return;
    const { time } = (event as { readonly meta?: { readonly time?: unknown } }).meta ?? {};
    const inRest = new Set(table.rest.map(({ name }) => name));
    const values = kept.map(({ name }) => [name, is ? is[name] : inRest.has(name) ? was?.[name] : null] as const);
    this.#versions[table.index]?.push({
      row: Object.fromEntries([
        [table.keyColumn?.name ?? "", key] as const,
        ...values.map(([name, value]) => [name, value ?? null] as const),
      ]),
      removed: is === undefined,
      occurredAt: typeof time === "number" ? time : null,
      recordedAt: position.recordedAt,
      offset,
    });
  }
}
