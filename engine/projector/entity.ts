import type { Row } from "./definition.js";

/** Where a change of a row came from. */
export interface ChangeSource {
  /** Recorded time of the event, epoch milliseconds. */
  readonly recordedAt: number;
  readonly partition: number;
  readonly offset: number;
}

/** The place of one row of a keyed table, in memory: what is in it now, and what Postgres has of it. */
export class Slot {
  readonly entity: Entity;
  /** The row's key after the entity's own, as `restOf` writes it. */
  readonly rest: string;
  /** Undefined when there is no such row, or no more. */
  row: Row | undefined;
  /** Recorded time and offset of the last event that changed it. */
  recordedAt = 0;
  offset = 0;
  /** Whether Postgres has the row once all statements made so far are written. */
  stored = false;
  /** Changed since the last statement was made. */
  dirty = false;

  constructor(entity: Entity, rest: string) {
    this.entity = entity;
    this.rest = rest;
  }
}

/** All rows of one key in the keyed tables of a projection. */
export class Entity {
  readonly key: string;
  readonly partition: number;
  /** Number of the last statement that it is part of: what is on its way to Postgres must not be evicted. */
  statement = 0;
  /** By the table's index: the one row of tables keyed by the entity alone. */
  readonly #single: (Slot | undefined)[] = [];
  /** By the table's index, then by the rest of the row's key. */
  readonly #several: (Map<string, Slot> | undefined)[] = [];

  constructor(key: string, partition: number) {
    this.key = key;
    this.partition = partition;
  }

  /** @param rest empty for a table keyed by the entity alone. */
  slot(table: number, rest: string): Slot | undefined {
    return rest === "" ? this.#single[table] : this.#several[table]?.get(rest);
  }

  /** The slot, made when there is none. */
  ensureSlot(table: number, rest: string): Slot {
    const found = this.slot(table, rest);
    if (found) return found;
    const made = new Slot(this, rest);
    if (rest === "") this.#single[table] = made;
    else {
      let slots = this.#several[table];
      if (!slots) {
        slots = new Map();
        this.#several[table] = slots;
      }
      slots.set(rest, made);
    }
    return made;
  }

  /** Forgets a slot whose row is gone. */
  removeSlot(table: number, rest: string): void {
    if (rest === "") this.#single[table] = undefined;
    else this.#several[table]?.delete(rest);
  }

  /** Slots of a table, those of deleted rows too, in no order. */
  *slots(table: number): Generator<Slot> {
    const single = this.#single[table];
    if (single) yield single;
    const several = this.#several[table];
    if (several) yield* several.values();
  }

  /** Rows it holds; at least 1, since an entity known to have none takes room too. */
  size(): number {
    let rows = 1;
    for (const slot of this.#single) if (slot) rows++;
    for (const slots of this.#several) if (slots) rows += slots.size;
    return rows;
  }
}
