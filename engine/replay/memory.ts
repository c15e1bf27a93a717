import type { Changes } from "../projector/changes.js";
import type { Row } from "../projector/definition.js";
import type { ProjectionLayout } from "../projector/layout.js";

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

  constructor(layout: ProjectionLayout) {
    this.#means = layout.tables.map(() => 0);
  }

  /** @param entities keys met. @returns bytes. */
  estimate(changes: Changes, entities: number): number {
    let keyed = 0;
    let bytes = 0;
    this.#means.forEach((_, table) => {
      const slots = changes.keyed[table] ?? [];
      const appended = changes.appended[table] ?? [];
      const versions = changes.history[table] ?? [];
      keyed += slots.length;
      bytes += slots.length * this.#mean(table, slots.at(-1)?.row);
      bytes += versions.length * this.#mean(table, versions.at(-1)?.row);
      bytes += appended.length * this.#mean(table, appended.at(-1)?.row);
      // Sums are few: what their keys take is not looked at.
      bytes += (changes.summed[table]?.size ?? 0) * 2 * rowBytes;
    });
    return bytes + Math.max(0, entities - keyed) * keyBytes;
  }

  #mean(table: number, row: Row | undefined): number {
    const mean = this.#means[table] ?? 0;
    if (!row) return mean || rowBytes;
    const next = mean === 0 ? bytesOf(row) : mean * 0.95 + bytesOf(row) * 0.05;
    this.#means[table] = next;
    return next;
  }
}

/** Memory that partitions share while they are folded and copied. */
export class MemoryBudget {
  readonly limit: number;
  readonly #used = new Map<object, number>();
  #waiting: (() => void)[] = [];

  /** @param limit bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get isFull(): boolean {
    let used = 0;
    for (const bytes of this.#used.values()) used += bytes;
    return used >= this.limit;
  }

  set(user: object, bytes: number): void {
    this.#used.set(user, bytes);
  }

  release(user: object): void {
    this.#used.delete(user);
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** Resolves when another user has released what it had. @returns false when there is no other. */
  async others(user: object): Promise<boolean> {
    if ([...this.#used.keys()].every((other) => other === user)) return false;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return true;
  }
}
