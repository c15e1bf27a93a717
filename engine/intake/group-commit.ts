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

interface Taken<Item, Result> {
  readonly call: Call<Item, Result>;
  readonly item: Item;
  readonly size: number;
}

/** An item that is ready to be written. */
interface Ready<Item, Written, Result> {
  readonly call: Call<Item, Result>;
  readonly prepared: Prepared<Written, Result>;
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
  #ready: Ready<Item, Written, Result>[] = [];
  #readyBytes = 0;
  /** Items that are being made ready. */
  #inHand: readonly Taken<Item, Result>[] = [];
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
      if (batch.length === 0) continue;
      const failures = this.#failures;
      this.#inHand = batch;
      try {
        const prepared = await this.#options.prepare(batch.map(({ item }) => item));
        if (failures !== this.#failures) continue;
        for (let index = 0; index < batch.length; index++) {
          const { call, size } = batch[index] as Taken<Item, Result>;
          this.#ready.push({ call, prepared: prepared[index] as Prepared<Written, Result> });
          this.#readyBytes += size;
        }
        this.#writing ??= Promise.resolve().then(() => this.#write());
        if (this.#calls.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      } catch (error) {
        this.#rejectAll(batch, this.#options.unavailable(error));
      } finally {
        this.#inHand = [];
      }
    }
    this.#preparing = undefined;
  }

  async #write(): Promise<void> {
    while (this.#ready.length > 0) {
      // What was given up while it was being made ready is not written behind the back of its sender.
      const batch = this.#ready.filter(({ call }) => !call.settled);
      this.#ready = [];
      this.#readyBytes = 0;
      this.#room?.();
      const written = batch.flatMap(({ prepared }) => (prepared.written === undefined ? [] : [prepared.written]));
      try {
        if (written.length > 0) await this.#options.commit(written);
        this.#committedAt = performance.now();
        for (const { call, prepared } of batch) this.#deliver(call, prepared.result);
      } catch (error) {
        this.#failures += 1;
        this.#rejectAll([...batch, ...this.#ready, ...this.#inHand], this.#options.unavailable(error));
        this.#ready = [];
        this.#readyBytes = 0;
        this.#room?.();
      }
    }
    this.#writing = undefined;
  }

  /** Rejects what failed, and with it all that was not taken yet. */
  #rejectAll(failed: readonly { readonly call: Call<Item, Result> }[], error: Error): void {
    for (const { call } of failed) this.#settle(call, error);
    for (const call of this.#calls) this.#settle(call, error);
  }

  /** Takes items in the order of submission up to the bounds of a batch, and forgets calls that were given up. */
  #take(): Taken<Item, Result>[] {
    const { sizeOf, batchBytes, batchItems, stretch = 64 } = this.#options;
    const room = batchItems - this.#ready.length;
    const batch: Taken<Item, Result>[] = [];
    let bytes = this.#readyBytes;
    let finished = 0;
    for (const call of this.#calls) {
      const most = Math.min(batch.length === 0 ? 4 * stretch : stretch, room);
      while (call.taken < call.items.length) {
        const item = call.items[call.taken] as Item;
        const size = sizeOf(item);
        if (!call.settled) {
          if (batch.length >= most || (batch.length > 0 && bytes + size > batchBytes)) break;
          batch.push({ call, item, size });
          bytes += size;
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
