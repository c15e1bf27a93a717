import type { LaneContext, Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { failureOf } from "./failure.js";
import type { ProjectorLogger } from "./ports.js";

/** Whose waiting it is: a lane's at its batches, or one that only opens. */
type Waiting = Ownership & Partial<Pick<LaneContext, "heartbeat">>;

export interface PatienceOptions {
  readonly logger: ProjectorLogger;
  /** First wait in milliseconds, doubled each time up to `longest`; defaults 100 and 10,000. */
  readonly shortest?: number;
  readonly longest?: number;
}

/** Waiting for what comes back by itself: Postgres, the vault, the registry. Loud, and never at the cost of data. */
export class Patience {
  readonly #logger: ProjectorLogger;
  readonly #shortest: number;
  readonly #longest: number;

  constructor(options: PatienceOptions) {
    this.#logger = options.logger;
    this.#shortest = options.shortest ?? 100;
    this.#longest = options.longest ?? 10_000;
  }

  /**
   * Waits before the next attempt, keeping the membership alive.
   * @throws the error itself once the partition belongs to another member: the next owner waits on.
   */
  async wait(what: string, error: unknown, attempt: number, context?: Waiting): Promise<void> {
    if (context && !context.isOwned()) throw error;
    const milliseconds = Math.min(this.#longest, this.#shortest * 2 ** Math.min(attempt, 20));
    this.#logger.warn({ err: error, attempt, milliseconds }, `waiting to ${what}`);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    // Before anything is tried that takes the lane from whoever came meanwhile.
    if (context && !context.isOwned()) throw error;
    await context?.heartbeat?.();
  }

  /** Does a repeatable thing until it succeeds. @throws what is neither a matter of time nor of the network. */
  async until<Result>(what: string, work: () => Promise<Result>, context?: Waiting): Promise<Result> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof TributaryError && !error.definition.retriable) throw error;
        const { kind } = failureOf(error);
        if (kind !== "again" && kind !== "doubt") throw error;
        await this.wait(what, error, attempt, context);
      }
    }
  }
}
