/**
 * Interchanges answered by this process a moment ago. The ledger knows an interchange once it has been published; this
 * covers the moments before, when a hasty sender already sends it again.
 */
export class RecentInterchanges {
  readonly #identities = new Set<string>();
  readonly #most: number;

  /** @param most how many are remembered; the oldest is forgotten first. */
  constructor(most = 10_000) {
    this.#most = most;
  }

  has(identity: string): boolean {
    return this.#identities.has(identity);
  }

  add(identity: string): void {
    this.#identities.delete(identity);
    this.#identities.add(identity);
    for (const oldest of this.#identities) {
      if (this.#identities.size <= this.#most) break;
      this.#identities.delete(oldest);
    }
  }
}
