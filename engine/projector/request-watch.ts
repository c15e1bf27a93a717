import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { requestedPlaces } from "./requests.js";

/** Lanes look at about the same time; one answer serves all that ask within this time. */
const sharedMilliseconds = 1_000;

/**
 * Tells lanes whether operators ask anything of them, with one query for all lanes of a process: as a rule there is
 * nothing, and a query a lane would be most of what an idle consumer costs.
 */
export class RequestWatch {
  readonly #pool: Pool;
  readonly #builds: () => readonly Build[];
  readonly #now: () => number;
  #asked = Number.NEGATIVE_INFINITY;
  #answer: Promise<ReadonlySet<string>> = Promise.resolve(new Set());

  /** @param builds those that lanes of this process write now. */
  constructor(pool: Pool, builds: () => readonly Build[], now: () => number = performance.now.bind(performance)) {
    this.#pool = pool;
    this.#builds = builds;
    this.#now = now;
  }

  /** @returns true also when it can't be known: who goes on then says what is wrong. */
  async concerns(topic: string, partition: number): Promise<boolean> {
    if (this.#now() - this.#asked >= sharedMilliseconds) {
      this.#asked = this.#now();
      this.#answer = requestedPlaces(this.#pool, this.#builds());
    }
    try {
      return (await this.#answer).has(`${topic}/${partition}`);
    } catch {
      return true;
    }
  }
}
