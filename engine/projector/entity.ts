import type { Row } from "./definition.js";

/** Where a change of a row came from. */
export interface ChangeSource {
  /** Recorded time of the event, epoch milliseconds. */
  readonly recordedAt: number;
  readonly partition: number;
  readonly offset: number;
}

/** A row of a keyed table with the last event that changed it. */
export interface StoredRow {
  readonly row: Row;
  readonly source: ChangeSource;
}

/** All rows of one key in the keyed tables of a projection. */
export class Entity {
  readonly key: string;
  /** By index of the table, then by the rest of the row's key. */
  readonly #tables = new Map<number, Map<string, StoredRow>>();
  /** Number of the last batch that touched it: what is on its way to Postgres must not be evicted. */
  touched = 0;

  constructor(key: string) {
    this.key = key;
  }

  rowsOf(table: number): ReadonlyMap<string, StoredRow> | undefined {
    return this.#tables.get(table);
  }

  put(table: number, rest: string, stored: StoredRow): void {
    let rows = this.#tables.get(table);
    if (!rows) {
      rows = new Map();
      this.#tables.set(table, rows);
    }
    rows.set(rest, stored);
  }

  delete(table: number, rest: string): void {
    this.#tables.get(table)?.delete(rest);
  }

  /** Rows it holds; at least 1, since an entity known to have none takes room too. */
  size(): number {
    let rows = 1;
    for (const table of this.#tables.values()) rows += table.size;
    return rows;
  }
}
