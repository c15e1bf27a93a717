import { Entity } from "./entity.js";

/**
 * The rows of a partition that were used last, in memory. Bounded by rows; only the partition's owner has it.
 *
 * A use costs one look-up, and no list is kept in order: an entity remembers in which generation it was used last. When
 * those used in this generation have half of the room, the generation ends, and what was not used in it is forgotten.
 */
export class EntityCache {
  #entities = new Map<string, Entity>();
  #generation = 0;
  /** Rows of entities used in this generation, as many as they had when they were used first in it. */
  #usedRows = 0;
  readonly #limit: () => number;

  /** @param limit most rows; may change. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Entities in memory. */
  get size(): number {
    return this.#entities.size;
  }

  keys(): IterableIterator<string> {
    return this.#entities.keys();
  }

  /** The entity, now used; undefined when it has to be read. */
  get(key: string): Entity | undefined {
    const entity = this.#entities.get(key);
    if (entity && entity.usedIn !== this.#generation) {
      entity.usedIn = this.#generation;
      this.#usedRows += entity.size();
    }
    return entity;
  }

  add(key: string): Entity {
    const entity = new Entity(key);
    entity.usedIn = this.#generation;
    this.#entities.set(key, entity);
    this.#usedRows++;
    return entity;
  }

  /**
   * Makes room. Entities of statements after `written` stay: their rows may be on the way to Postgres, and a read would
   * not see them.
   */
  evict(written: number): void {
    const half = this.#limit() / 2;
    if (this.#usedRows <= half) return;
    // What was counted when an entity was used has grown since.
    this.#usedRows = 0;
    for (const entity of this.#entities.values()) {
      if (entity.usedIn === this.#generation) this.#usedRows += entity.size();
    }
    if (this.#usedRows <= half) return;
    // Deleted one by one from a map that loses most of what is in it, they would leave holes that its growth pays for.
    const kept = new Map<string, Entity>();
    const ended = this.#generation++;
    this.#usedRows = 0;
    for (const [key, entity] of this.#entities) {
      if (entity.usedIn === ended || entity.statement > written) kept.set(key, entity);
    }
    this.#entities = kept;
  }

  remove(key: string): void {
    this.#entities.delete(key);
  }

  clear(): void {
    this.#entities = new Map();
    this.#usedRows = 0;
  }
}
