import type { Changes } from "./changes.js";
import type { Row } from "./definition.js";
import type { ProjectionLayout } from "./layout.js";

/** What a row takes beside its values: its slot, its place in the maps, its object. Measured on Node 24, rounded up. */
const rowBytes = 320;
const columnBytes = 12;
/** What a string takes beside its characters. */
const textBytes = 24;
/** A key without a row: an entity and its place. */
const keyBytes = 250;

const valueBytes = (value: Row[string] | undefined): number => {
  if (typeof value === "string") return columnBytes + textBytes + value.length;
  if (typeof value === "object" && value !== null) return columnBytes + 4 * JSON.stringify(value).length;
  return columnBytes;
};

const bytesOf = (row: Row | undefined): number =>
  row ? Object.values(row).reduce<number>((sum, value) => sum + valueBytes(value), rowBytes) : rowBytes;

/** Estimates what a partition's folded rows take in memory: how many there are, times what the last ones took. */
export class RowSizes {
  readonly #means: number[];
  /** Bytes that a row of a keyed table takes by the last estimate that had any. */
  keyedRow = 0;

  constructor(layout: ProjectionLayout) {
    this.#means = layout.tables.map(() => 0);
  }

  /** @param entities keys met. @returns bytes. */
  estimate(changes: Changes, entities: number): number {
    let keyed = 0;
    let [bytes, keyedBytes] = [0, 0];
    this.#means.forEach((_, table) => {
      const slots = changes.keyed[table] ?? [];
      const appended = changes.appended[table] ?? [];
      const versions = changes.history[table] ?? [];
      keyed += slots.length;
      keyedBytes += slots.length * this.#mean(table, slots.at(-1)?.row);
      bytes += versions.length * this.#mean(table, versions.at(-1)?.row);
      bytes += appended.length * this.#mean(table, appended.at(-1)?.row);
      // Sums are few: what their keys take is not looked at.
      bytes += (changes.summed[table]?.size ?? 0) * 2 * rowBytes;
    });
    if (keyed > 0) this.keyedRow = keyedBytes / keyed;
    return bytes + keyedBytes + Math.max(0, entities - keyed) * keyBytes;
  }

  #mean(table: number, row: Row | undefined): number {
    const mean = this.#means[table] ?? 0;
    if (!row) return mean || rowBytes;
    const next = mean === 0 ? bytesOf(row) : mean * 0.95 + bytesOf(row) * 0.05;
    this.#means[table] = next;
    return next;
  }
}
