/**
 * How much a reception holds at once. What doesn't fit is turned away with 503 before it is read, so that a slow log
 * slows the senders and memory stays flat.
 */
export class Room {
  readonly #requests: number;
  readonly #bytes: number;
  #requestsIn = 0;
  #bytesIn = 0;

  /**
   * @param requests most requests at once.
   * @param bytes most bytes of bodies in memory at once, after decompression.
   */
  constructor(requests: number, bytes: number) {
    this.#requests = requests;
    this.#bytes = bytes;
  }

  /** @returns false when it is full; else {@link leave} gives the place back. */
  enter(): boolean {
    if (this.#requestsIn >= this.#requests) return false;
    this.#requestsIn += 1;
    return true;
  }

  leave(): void {
    this.#requestsIn -= 1;
  }

  /** @returns false when so many bytes don't fit. */
  hold(bytes: number): boolean {
    if (this.#bytesIn + bytes > this.#bytes) return false;
    this.#bytesIn += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytesIn -= bytes;
  }

  get requests(): number {
    return this.#requestsIn;
  }

  get bytes(): number {
    return this.#bytesIn;
  }
}
