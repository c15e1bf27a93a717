import { Entity } from "./entity.js";

/**
 * The rows of a partition that were used last, in memory. Bounded by rows; only the partition's owner has it.
 *
 * Two generations: what is used moves to the young one; when that has half of the room it becomes the old one, and what
 * was old and not used since is forgotten. So a use costs one look-up, and no list is kept in order.
 */
export class EntityCache {
  #young = new Map<string, Entity>();
  #old = new Map<string, Entity>();
  #youngRows = 0;
  readonly #limit: () => number;

  /** @param limit most rows; may change. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Entities in memory. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  *keys(): Generator<string> {
    yield* this.#young.keys();
    yield* this.#old.keys();
  }

  /** The entity, now used; undefined when it has to be read. */
  get(key: string): Entity | undefined {
    const young = this.#young.get(key);
    if (young) return young;
    const old = this.#old.get(key);
    if (old) {
      this.#old.delete(key);
      this.#young.set(key, old);
      this.#youngRows += old.size();
    }
    return old;
  }

  add(key: string): Entity {
    const entity = new Entity(key);
    this.#young.set(key, entity);
    this.#youngRows++;
    return entity;
  }

  /**
   * Makes room. Entities of statements after `written` stay: their rows may be on the way to Postgres, and a read would
   * not see them.
   */
  evict(written: number): void {
    const half = this.#limit() / 2;
    if (this.#youngRows <= half) return;
    // What was counted when an entity came, or moved, has grown since.
    this.#youngRows = 0;
    for (const entity of this.#young.values()) this.#youngRows += entity.size();
    if (this.#youngRows <= half) return;
    const kept = new Map<string, Entity>();
    this.#youngRows = 0;
    for (const [key, entity] of this.#old) {
      if (entity.statement <= written) continue;
      kept.set(key, entity);
      this.#youngRows += entity.size();
    }
    this.#old = this.#young;
    this.#young = kept;
  }

  remove(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngRows = 0;
  }
}
