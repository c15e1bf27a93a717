import { setTimeout as pause } from "node:timers/promises";

/** Holds work to a rate. */
export class Pace {
  readonly #perSecond: number | undefined;
  #from = performance.now();
  #done = 0;

  /** @param perSecond undefined: as fast as it goes. */
  constructor(perSecond: number | undefined) {
    this.#perSecond = perSecond;
  }

  /** Counts work done; resolves when more may be. A pause before gives no right to hurry after it. */
  async did(count: number, signal?: AbortSignal): Promise<void> {
    const rate = this.#perSecond;
    if (rate === undefined) return;
    this.#done += count;
    const ahead = (this.#done / rate) * 1000 - (performance.now() - this.#from);
    if (ahead > 0) await pause(ahead, undefined, signal ? { signal } : {});
    if (ahead < -1000) {
      this.#from = performance.now();
      this.#done = 0;
    }
  }
}
