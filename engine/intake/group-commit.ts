/** An item made ready: what is written, if anything is, and what its caller is told when it is written. */
export interface Prepared<Written, Result> {
  readonly written: Written | undefined;
  /** An error rejects its call alone. */
  readonly result: Result | Error;
}

/** What is written together, and how long and how much may wait. */
export interface GroupCommitOptions<Item, Written, Result> {
  /** Makes items ready, one result an item, in order. Runs while the write before is under way. Rejects when none may count. */
  readonly prepare: (items: readonly Item[]) => Promise<readonly Prepared<Written, Result>[]>;
  /** Writes as one, in order. Rejects when none may count. */
  readonly commit: (written: readonly Written[]) => Promise<unknown>;
  readonly sizeOf: (item: Item) => number;
  /** Most bytes written together; a single item may be larger. */
  readonly batchBytes: number;
  readonly batchItems: number;
  /**
   * Items made ready in one go; default 64. Between two goes, answers and new bytes get their turn. Of one call, whose
   * answer comes with its last item, four times as many.
   */
  readonly stretch?: number;
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
  /** Given away as they are taken: what is made of an item is written, and the item itself is garbage then. */
  readonly items: (Item | undefined)[];
  readonly results: Result[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: Error) => void;
  readonly since: number;
  timer: NodeJS.Timeout | undefined;
  /** Items handed to a commit so far. */
  taken: number;
  settled: boolean;
}

/** Items taken together, each with its call at the same place. Lists side by side: an object for each would be garbage. */
interface Taken<Item, Result> {
  readonly calls: Call<Item, Result>[];
  readonly items: Item[];
  bytes: number;
}

/**
 * Two loops: one makes ready what waits, the other writes together all that is ready. So the work of one core and the wait
 * for the log overlap, and the more waits, the more is written together. What is submitted first is written first.
 *
 * After a failed write everything behind it is rejected too, ready or not: it would otherwise overtake what failed, and a
 * sender that doesn't wait for answers would find its order changed.
 */
export class GroupCommit<Item, Written, Result> {
  readonly #options: GroupCommitOptions<Item, Written, Result>;
  #calls: Call<Item, Result>[] = [];
  #waitingBytes = 0;
  /** What is ready to be written, and its calls. */
  #ready: Prepared<Written, Result>[] = [];
  #readyCalls: Call<Item, Result>[] = [];
  #readyBytes = 0;
  /** Calls whose items are being made ready. */
  #inHand: readonly Call<Item, Result>[] = [];
  #preparing: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  /** Wakes the first loop when there is room for more that is ready. */
  #room: (() => void) | undefined;
  /** Counts failed writes: what was taken before one is not written after it. */
  #failures = 0;
  #committedAt = 0;

  constructor(options: GroupCommitOptions<Item, Written, Result>) {
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
        items: [...items],
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
      this.#preparing ??= Promise.resolve().then(() => this.#prepare());
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#preparing || this.#writing) await (this.#preparing ?? this.#writing);
  }

  async #prepare(): Promise<void> {
    while (this.#calls.length > 0) {
      if (this.#readyBytes >= this.#options.batchBytes || this.#ready.length >= this.#options.batchItems) {
        await new Promise<void>((resolve) => {
          this.#room = resolve;
        });
        continue;
      }
      const batch = this.#take();
      if (batch.items.length === 0) continue;
      const failures = this.#failures;
      this.#inHand = batch.calls;
      try {
        const prepared = await this.#options.prepare(batch.items);
        if (failures !== this.#failures) continue;
        for (let index = 0; index < prepared.length; index++) {
          this.#ready.push(prepared[index] as Prepared<Written, Result>);
          this.#readyCalls.push(batch.calls[index] as Call<Item, Result>);
        }
        this.#readyBytes += batch.bytes;
        this.#writing ??= Promise.resolve().then(() => this.#write());
        if (this.#calls.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      } catch (error) {
        this.#rejectAll(batch.calls, this.#options.unavailable(error));
      } finally {
        this.#inHand = [];
      }
    }
    this.#preparing = undefined;
  }

  async #write(): Promise<void> {
    while (this.#ready.length > 0) {
      const [ready, calls] = [this.#ready, this.#readyCalls];
      this.#forgetReady();
      const written: Written[] = [];
      const results: (Result | Error)[] = [];
      const told: Call<Item, Result>[] = [];
      for (let index = 0; index < ready.length; index++) {
        const { written: one, result } = ready[index] as Prepared<Written, Result>;
        const call = calls[index] as Call<Item, Result>;
        // What was given up while it was being made ready is not written behind the back of its sender.
        if (call.settled) continue;
        if (one !== undefined) written.push(one);
        results.push(result);
        told.push(call);
      }
      try {
        if (written.length > 0) await this.#options.commit(written);
        this.#committedAt = performance.now();
        for (let index = 0; index < told.length; index++) {
          this.#deliver(told[index] as Call<Item, Result>, results[index] as Result | Error);
        }
      } catch (error) {
        this.#failures += 1;
        this.#rejectAll([...told, ...this.#readyCalls, ...this.#inHand], this.#options.unavailable(error));
        this.#forgetReady();
      }
    }
    this.#writing = undefined;
  }

  #forgetReady(): void {
    this.#ready = [];
    this.#readyCalls = [];
    this.#readyBytes = 0;
    this.#room?.();
  }

  /** Rejects what failed, and with it all that was not taken yet. */
  #rejectAll(failed: readonly Call<Item, Result>[], error: Error): void {
    for (const call of failed) this.#settle(call, error);
    for (const call of this.#calls) this.#settle(call, error);
  }

  /** Takes items in the order of submission up to the bounds of a batch, and forgets calls that were given up. */
  #take(): Taken<Item, Result> {
    const { sizeOf, batchBytes, batchItems, stretch = 64 } = this.#options;
    const room = batchItems - this.#ready.length;
    const batch: Taken<Item, Result> = { calls: [], items: [], bytes: 0 };
    let finished = 0;
    for (const call of this.#calls) {
      const most = Math.min(batch.items.length === 0 ? 4 * stretch : stretch, room);
      while (call.taken < call.items.length) {
        const item = call.items[call.taken] as Item;
        const size = sizeOf(item);
        if (!call.settled) {
          const taken = batch.items.length;
          if (taken >= most || (taken > 0 && this.#readyBytes + batch.bytes + size > batchBytes)) break;
          batch.calls.push(call);
          batch.items.push(item);
          batch.bytes += size;
        }
        call.items[call.taken] = undefined;
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
