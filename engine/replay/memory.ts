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
