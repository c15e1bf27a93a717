/** How many attempts may be under way at once, over all lanes of a process; and when none may be, as the partner asks. */
export class Gate {
  readonly #most: number;
  #open = 0;
  #heldUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when there is no room: `again` is called once there may be. */
  enter(again: () => void): boolean {
    if (this.#open < this.#most && Date.now() >= this.#heldUntil) {
      this.#open++;
      return true;
    }
    this.#waiting.add(again);
    return false;
  }

  leave(): void {
    this.#open--;
    this.#call();
  }

  /** Nobody enters for so many milliseconds: the partner is asked too often. */
  hold(milliseconds: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, Date.now() + milliseconds);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#call(), this.#heldUntil - Date.now() + 1);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #call(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const again of waiting) again();
  }
}
