import { Entity } from "./entity.js";

/** The rows of a partition that were used last, in memory. Bounded by rows; only the partition's owner has it. */
export class EntityCache {
  readonly #entities = new Map<string, Entity>();
  readonly #limit: number;
  #rows = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The entity, now the most recently used; undefined when it has to be read. */
  touch(key: string, batch: number): Entity | undefined {
    const entity = this.#entities.get(key);
    if (!entity) return undefined;
    if (entity.touched !== batch) {
      this.#entities.delete(key);
      this.#entities.set(key, entity);
      entity.touched = batch;
    }
    return entity;
  }

  add(key: string, batch: number): Entity {
    const entity = new Entity(key);
    entity.touched = batch;
    this.#entities.set(key, entity);
    return entity;
  }

  /**
   * Makes room, the least recently used first. Entities touched in `keepFrom` or a later batch stay: their rows may be on
   * the way to Postgres, and a read would not see them.
   */
  evict(keepFrom: number): void {
    this.#rows = 0;
    for (const entity of this.#entities.values()) this.#rows += entity.size();
    for (const [key, entity] of this.#entities) {
      if (this.#rows <= this.#limit || entity.touched >= keepFrom) return;
      this.#entities.delete(key);
      this.#rows -= entity.size();
    }
  }

  remove(key: string): void {
    this.#entities.delete(key);
  }

  clear(): void {
    this.#entities.clear();
  }
}
