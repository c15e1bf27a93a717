import type { Pool } from "../store/pool.js";
import { type KeyName, keyText } from "./data-key.js";

/** Milliseconds between looks for destroyed keys. */
const lookInterval = 5_000;
/** Milliseconds after which no consumer opens anything under a destroyed key, unless told otherwise. */
export const forgottenAfter: number = 2 * lookInterval;

export interface ForgettingOptions {
  /** Milliseconds between looks for destroyed keys; default 5,000. What is opened was looked for within twice that. */
  readonly interval?: number;
  /** Milliseconds without a successful look after which every key is forgotten; default 600,000. */
  readonly blindLimit?: number;
}

/**
 * Sees to it that a destroyed key leaves the caches of every process within a bounded time:
 * `interval` while Postgres can be reached. A process that can't reach it goes on with the keys it has, so that known
 * patients flow, for `blindLimit` at most: then it forgets them all, as one of them may have been destroyed meanwhile.
 */
export class Forgetting {
  readonly #pool: Pool;
  readonly #forget: (destroyed: readonly KeyName[] | "all") => void;
  readonly #blindLimit: number;
  readonly #staleAfter: number;
  readonly #timer: NodeJS.Timeout;
  #epoch: number | undefined;
  #seenAt = 0;
  #looking: Promise<number> | undefined;
  #loads = 0;
  readonly #destroyedDuringLoads = new Set<string>();

  constructor(
    pool: Pool,
    forget: (destroyed: readonly KeyName[] | "all") => void,
    { interval = lookInterval, blindLimit = 600_000 }: ForgettingOptions = {},
  ) {
    this.#pool = pool;
    this.#forget = forget;
    this.#blindLimit = blindLimit;
    this.#staleAfter = 2 * interval;
    this.#timer = setInterval(() => {
      // Before the first load nothing is cached, so there is nothing to forget.
      if (this.#epoch !== undefined) this.look().catch(() => {});
    }, interval);
    this.#timer.unref();
  }

  /**
   * Runs a load of keys so that none which is destroyed meanwhile gets into a cache.
   * @param load resolves to what was read.
   * @param keep is told what was read, and which names are destroyed since.
   */
  async during<Loaded>(load: () => Promise<Loaded>, keep: (loaded: Loaded, gone: ReadonlySet<string>) => void) {
    // The epoch must be known before the keys are: what is destroyed after it is then seen by a later look.
    if (this.#epoch === undefined) await this.look();
    this.#loads += 1;
    try {
      keep(await load(), this.#destroyedDuringLoads);
    } finally {
      this.#loads -= 1;
      if (this.#loads === 0) this.#destroyedDuringLoads.clear();
    }
  }

  /**
   * Looks when the last look began longer ago than `staleAfter`: afterwards no key is in memory that was destroyed
   * before that. Not for who must go on while Postgres is away.
   */
  async fresh(): Promise<void> {
    if (this.#epoch !== undefined && performance.now() - this.#seenAt > this.#staleAfter) await this.look();
  }

  /**
   * Asks what was destroyed since the last look, and forgets it. Looks at once share one question.
   * @returns the epoch: no key destroyed by then is in memory.
   */
  look(): Promise<number> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<number> {
    const begun = performance.now();
    try {
      const { rows } = await this.#pool.query<{ epoch: number; subject: string | null; generation: number }>(
        "SELECT epoch, subject, generation FROM engine.vault_destroyed($1)",
        [this.#epoch ?? Number.MAX_SAFE_INTEGER],
      );
      const destroyed = rows.flatMap(({ subject, generation }) => (subject === null ? [] : [{ subject, generation }]));
      if (this.#loads > 0) for (const name of destroyed) this.#destroyedDuringLoads.add(keyText(name));
      if (destroyed.length > 0) this.#forget(destroyed);
      const epoch = Number(rows[0]?.epoch ?? 0);
      this.#epoch = epoch;
      this.#seenAt = begun;
      return epoch;
    } catch (error) {
      if (this.#epoch !== undefined && performance.now() - this.#seenAt > this.#blindLimit) this.#forget("all");
      throw error;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
