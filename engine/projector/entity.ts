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
  /** Of the entity that the row belongs to. */
  readonly key: string;
  /** The row's key after the entity's own, as `restOf` writes it. */
  readonly rest: string;
  /** Undefined when there is no such row, or no more. */
  row: Row | undefined = undefined;
  /** Recorded time and offset of the last event that changed it. */
  recordedAt = 0;
  offset = 0;
  /** Whether Postgres has the row once all statements made so far are written. */
  stored = false;
  /** Changed since the last statement was made. */
  dirty = false;

  /** Where it can be forgotten; undefined for the entity's own. */
  readonly owner: Entity | undefined;

  constructor(key: string, rest: string, owner?: Entity) {
    this.key = key;
    this.rest = rest;
    this.owner = owner;
  }
}

/**
 * All rows of one key in the keyed tables of a projection. It is itself the place of the row in the first table, where
 * that is keyed by the entity alone: as a rule all there is, and one object less for each of many thousands.
 */
export class Entity extends Slot {
  /** Number of the last statement that it is part of: what is on its way to Postgres must not be evicted. */
  statement = 0;
  /** Generation of the cache in which it was used last. */
  usedIn = 0;
  /** All other rows: by the table's index, then by the rest of the row's key. */
  #others: (Map<string, Slot> | undefined)[] | undefined;

  constructor(key: string) {
    super(key, "");
  }

  /** @param rest empty for a table keyed by the entity alone. */
  slot(table: number, rest: string): Slot | undefined {
    return table === 0 && rest === "" ? this : this.#others?.[table]?.get(rest);
  }

  /** The slot, made when there is none. */
  ensureSlot(table: number, rest: string): Slot {
    const found = this.slot(table, rest);
    if (found) return found;
    const made = new Slot(this.key, rest, this);
    this.#others ??= [];
    let slots = this.#others[table];
    if (!slots) {
      slots = new Map();
      this.#others[table] = slots;
    }
    slots.set(rest, made);
    return made;
  }

  /** Forgets a slot whose row is gone. */
  removeSlot(table: number, rest: string): void {
    this.#others?.[table]?.delete(rest);
  }

  /** Slots of a table, those without a row too, in no order. */
  *slots(table: number): Generator<Slot> {
    if (table === 0) yield this;
    const others = this.#others?.[table];
    if (others) yield* others.values();
  }

  /** Rows it holds; at least 1, since an entity known to have none takes room too. */
  size(): number {
    if (!this.#others) return 1;
    let rows = this.row ? 1 : 0;
    for (const slots of this.#others) if (slots) rows += slots.size;
    return Math.max(1, rows);
  }
}
