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
  /** The row of the first table, where that is keyed by the entity alone: as a rule all there is. */
  #first: Slot | undefined;
  /** All other rows: by the table's index, then by the rest of the row's key. */
  #others: (Map<string, Slot> | undefined)[] | undefined;

  constructor(key: string, partition: number) {
    this.key = key;
    this.partition = partition;
  }

  /** @param rest empty for a table keyed by the entity alone. */
  slot(table: number, rest: string): Slot | undefined {
    return table === 0 && rest === "" ? this.#first : this.#others?.[table]?.get(rest);
  }

  /** The slot, made when there is none. */
  ensureSlot(table: number, rest: string): Slot {
    const found = this.slot(table, rest);
    if (found) return found;
    const made = new Slot(this, rest);
    if (table === 0 && rest === "") this.#first = made;
    else {
      this.#others ??= [];
      let slots = this.#others[table];
      if (!slots) {
        slots = new Map();
        this.#others[table] = slots;
      }
      slots.set(rest, made);
    }
    return made;
  }

  /** Forgets a slot whose row is gone. */
  removeSlot(table: number, rest: string): void {
    if (table === 0 && rest === "") this.#first = undefined;
    else this.#others?.[table]?.delete(rest);
  }

  /** Slots of a table, those of deleted rows too, in no order. */
  *slots(table: number): Generator<Slot> {
    if (table === 0 && this.#first) yield this.#first;
    const others = this.#others?.[table];
    if (others) yield* others.values();
  }

  /** Rows it holds; at least 1, since an entity known to have none takes room too. */
  size(): number {
    let rows = this.#first ? 1 : 0;
    if (this.#others) for (const slots of this.#others) if (slots) rows += slots.size;
    return Math.max(1, rows);
  }
}
