/** Most bytes of rows that the lanes of a process hold beyond what is written, as estimated; about as much comes on top while they are encoded. */
const mostBytes = 200e6;

/** What the lanes of a process have folded and not written: while Postgres is slow or blocked, none of them reads on beyond a bound. */
export class InHand {
  readonly #limit: number;
  readonly #bytes = new Map<object, number>();
  #total = 0;

  /** @param limit bytes; default 200 MB. */
  constructor(limit = mostBytes) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#total >= this.#limit;
  }

  /** @param bytes that the lane has in hand now. */
  set(lane: object, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(lane) ?? 0);
    if (bytes > 0) this.#bytes.set(lane, bytes);
    else this.#bytes.delete(lane);
  }
}
