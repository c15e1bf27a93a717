/** Ids of this many records before one are remembered: a record is written again at once, or not at all. */
const remembered = 100_000;

/** Tells records that were written twice, of however many, in little room. */
export class RecentlySeen {
  readonly #ids = new Set<string>();

  /** @returns false when it was there not long ago. */
  take(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > remembered) for (const oldest of this.#ids) return this.#ids.delete(oldest);
    return true;
  }
}
