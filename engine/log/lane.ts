import type { IncomingRecord, LaneHandler } from "./log.js";

/** How a lane moves the library's reading of its partition. */
export interface LaneReading {
  seek(offset: number): void;
  resume(): void;
  /** Throws when the offset isn't in the log any more, or not yet. */
  assertReadable(offset: number): Promise<void>;
  /** Whether the log has a record from one offset up to another, or may have one. */
  holdsRecords(from: number, to: number): Promise<boolean>;
}

/** A batch as fetched. */
export interface LaneBatch {
  /** Offset that the library asked for: another one than expected means that it moved by itself. */
  readonly fetchedFrom: number;
  readonly lastOffset: number;
  readonly highWatermark: number;
  readonly records: readonly IncomingRecord[];
  readonly heartbeat: () => Promise<void>;
}

/**
 * One partition during one assignment: opens its handler, gives it batches one after the other from exactly the offset
 * it wants next, and closes it once. A handler that outlives the assignment keeps the next one of the partition waiting.
 */
export class Lane {
  readonly topic: string;
  readonly partition: number;
  readonly #partitions: number | undefined;
  readonly #handler: LaneHandler;
  readonly #reading: LaneReading;
  readonly #now: () => number;
  #owned = true;
  /** Offset wanted next; undefined until the handler is open. */
  #expected: number | undefined;
  #work: Promise<void> = Promise.resolve();
  #busySince: number | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    place: { readonly topic: string; readonly partition: number; readonly partitions?: number | undefined },
    handler: LaneHandler,
    reading: LaneReading,
    now: () => number = Date.now,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.#partitions = place.partitions;
    this.#handler = handler;
    this.#reading = reading;
    this.#now = now;
  }

  /** Offset wanted next, when the lane is open and owned. */
  get expected(): number | undefined {
    return this.#owned ? this.#expected : undefined;
  }

  /** Milliseconds that the work in hand has taken so far; undefined when there is none. */
  busyMilliseconds(): number | undefined {
    return this.#busySince === undefined ? undefined : this.#now() - this.#busySince;
  }

  /** @param previous settles when the partition's lane of the assignment before is closed. */
  open(previous: Promise<void>): Promise<void> {
    return this.#run(async () => {
      await previous;
      if (!this.#owned) return;
      const offset = await this.#whileOwned(
        this.#handler.open({ isOwned: () => this.#owned, partitions: this.#partitions }),
      );
      if (!this.#owned || offset === undefined) return;
      await this.#reading.assertReadable(offset);
      if (!this.#owned) return;
      this.#expected = offset;
      this.#reading.seek(offset);
      // Paused since the assignment: nothing was fetched from a wrong place meanwhile.
      this.#reading.resume();
    });
  }

  batch(batch: LaneBatch): Promise<void> {
    return this.#run(async () => {
      const expected = this.#expected;
      if (!this.#owned || expected === undefined) return;
      if (batch.fetchedFrom !== expected) {
        // The library silently replaces an offset out of range, and with several brokers a batch fetched before the lane
        // was opened or sought may come after. A gap left by transactions or compaction is no harm.
        await this.#reading.assertReadable(expected);
        if (batch.fetchedFrom < expected) return this.#seek(expected);
        if (await this.#reading.holdsRecords(expected, batch.fetchedFrom)) return this.#seek(expected);
        if (!this.#owned) return;
      }
      const isWhole = (batch.records[0]?.offset ?? expected) >= expected;
      const records = isWhole ? batch.records : batch.records.filter(({ offset }) => offset >= expected);
      let moved: number | undefined;
      if (records.length > 0) {
        const handled = this.#handler.batch(records, {
          highWatermark: batch.highWatermark,
          isOwned: () => this.#owned,
          heartbeat: batch.heartbeat,
          holdsRecords: (from, to) => this.#reading.holdsRecords(from, to),
          seek: (offset) => {
            moved = offset;
          },
        });
        await this.#whileOwned(handled);
      }
      if (!this.#owned) return;
      if (moved === undefined) this.#expected = Math.max(expected, batch.lastOffset + 1);
      else {
        await this.#reading.assertReadable(moved);
        this.#seek(moved);
      }
    });
  }

  /** The partition belongs to someone else now, or nobody. Resolves when the handler is closed. */
  lose(): Promise<void> {
    this.#owned = false;
    this.#closed ??= this.#work.catch(() => undefined).then(() => this.#handler.close());
    return this.#closed;
  }

  /** Once the lane is lost its errors are: whoever has the partition now meets the same, if they are more than that. */
  #whileOwned<Result>(work: Promise<Result>): Promise<Result | undefined> {
    return work.catch((error: unknown) => {
      if (this.#owned) throw error;
      return undefined;
    });
  }

  #seek(offset: number): void {
    if (!this.#owned) return;
    this.#expected = offset;
    this.#reading.seek(offset);
  }

  #run(work: () => Promise<void>): Promise<void> {
    const turn = this.#work
      .catch(() => undefined)
      .then(async () => {
        this.#busySince = this.#now();
        try {
          await work();
        } finally {
          this.#busySince = undefined;
        }
      });
    this.#work = turn;
    return turn;
  }
}
