/**
 * How many bytes of all connections together may be in memory: blocks that are still coming, and blocks that wait for the
 * log. Above it nobody is read until some are gone, so a slow log slows the partners and memory stays flat.
 */
export class Allowance {
  readonly #limit: number;
  #used = 0;
  /** Of these, bytes that go by themselves as the log takes them. */
  #moving = 0;
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isSpent(): boolean {
    return this.#used >= this.#limit;
  }

  /** Nothing of it will go by itself: all of it is blocks whose senders would have to send more. */
  get isStuck(): boolean {
    return this.isSpent && this.#moving === 0;
  }

  /** Counts bytes of a block that is still coming. */
  hold(bytes: number): void {
    this.#used += bytes;
  }

  /** Counts bytes that wait for the log. */
  move(bytes: number): void {
    this.#used += bytes;
    this.#moving += bytes;
  }

  moved(bytes: number): void {
    this.#moving -= bytes;
    this.release(bytes);
  }

  release(bytes: number): void {
    this.#used -= bytes;
    if (this.isSpent) return;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Calls back once when there is room again. */
  whenRoom(wake: () => void): void {
    const once = () => {
      this.#waiting.delete(once);
      wake();
    };
    this.#waiting.add(once);
  }
}
