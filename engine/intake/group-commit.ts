/** What is written together, and how long and how much may wait. */
export interface GroupCommitOptions<Item, Result> {
  /** Writes items as one, in order; one result an item, an error rejects its call alone. Rejects when none may count. */
  readonly commit: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>;
  readonly sizeOf: (item: Item) => number;
  /** Most bytes written together; a single item may be larger. */
  readonly batchBytes: number;
  readonly batchItems: number;
  /**
   * Most bytes waiting. Callers feel back-pressure by waiting for their answer before they submit more; a call that
   * would go over this bound all the same is rejected at once, unless nothing else waits.
   */
  readonly waitingBytes: number;
  /** Milliseconds without any successful commit after which a waiting call is rejected. */
  readonly timeLimit: number;
  /** The error of a rejected call. */
  readonly unavailable: (cause: unknown) => Error;
}

/** One submission: its items are written in order, over as many commits as they need. */
interface Call<Item, Result> {
  readonly items: readonly Item[];
  readonly results: Result[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: Error) => void;
  readonly since: number;
  timer: NodeJS.Timeout | undefined;
  /** Items handed to a commit so far. */
  taken: number;
  settled: boolean;
}

/**
 * One loop takes everything that waits and writes it together. What is submitted first is written first.
 *
 * After a failed commit all waiting calls are rejected too: they would otherwise overtake what failed, and a sender
 * that doesn't wait for answers would find its order changed.
 */
export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  #calls: Call<Item, Result>[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #committedAt = 0;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  submit(items: readonly Item[]): Promise<readonly Result[]> {
    const { sizeOf, waitingBytes, timeLimit, unavailable } = this.#options;
    if (items.length === 0) return Promise.resolve([]);
    const bytes = items.reduce((sum, item) => sum + sizeOf(item), 0);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > waitingBytes) {
      return Promise.reject(unavailable("too much is waiting"));
    }
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const call: Call<Item, Result> = {
        items,
        results: [],
        resolve,
        reject,
        since,
        timer: undefined,
        taken: 0,
        settled: false,
      };
      this.#watch(call, timeLimit);
      this.#calls.push(call);
      // Whatever else arrives in this turn of the event loop is taken together.
      this.#running ??= Promise.resolve().then(() => this.#run());
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#calls.length > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        const results = await this.#options.commit(batch.map(({ item }) => item));
        this.#committedAt = performance.now();
        for (const [index, { call }] of batch.entries()) this.#deliver(call, results[index] as Result | Error);
      } catch (error) {
        const failed = this.#options.unavailable(error);
        for (const { call } of batch) this.#settle(call, failed);
        for (const call of this.#calls) this.#settle(call, failed);
      }
    }
    this.#running = undefined;
  }

  /** Takes items in the order of submission up to the bounds of a batch, and forgets calls that were given up. */
  #take(): { call: Call<Item, Result>; item: Item }[] {
    const { sizeOf, batchBytes, batchItems } = this.#options;
    const batch: { call: Call<Item, Result>; item: Item }[] = [];
    let bytes = 0;
    let finished = 0;
    for (const call of this.#calls) {
      while (call.taken < call.items.length) {
        const item = call.items[call.taken] as Item;
        const size = sizeOf(item);
        if (!call.settled) {
          if (batch.length === batchItems || (batch.length > 0 && bytes + size > batchBytes)) break;
          batch.push({ call, item });
          bytes += size;
        }
        call.taken += 1;
        this.#waitingBytes -= size;
      }
      if (call.taken < call.items.length) break;
      finished += 1;
    }
    this.#calls = this.#calls.slice(finished);
    return batch;
  }

  #deliver(call: Call<Item, Result>, result: Result | Error): void {
    if (result instanceof Error) {
      this.#settle(call, result);
      return;
    }
    call.results.push(result);
    if (call.results.length === call.items.length) this.#settle(call);
  }

  #settle(call: Call<Item, Result>, error?: Error): void {
    if (call.settled) return;
    call.settled = true;
    clearTimeout(call.timer);
    if (error) call.reject(error);
    else call.resolve(call.results);
  }

  /** Gives a call up when nothing at all was committed for the time limit, itself or any other. */
  #watch(call: Call<Item, Result>, wait: number): void {
    call.timer = setTimeout(() => {
      const { timeLimit, unavailable } = this.#options;
      const left = Math.max(call.since, this.#committedAt) + timeLimit - performance.now();
      if (left <= 0) this.#settle(call, unavailable("nothing was committed within the time limit"));
      else this.#watch(call, left);
    }, wait);
  }
}
