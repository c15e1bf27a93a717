import { Lane } from "../../log/lane.js";
import type { IncomingRecord, Subscription, SubscriptionOptions } from "../../log/log.js";
import { topic } from "../notes.js";
import type { Chance } from "./random.js";
import type { Step } from "./schedule.js";
import type { Sender } from "./server.js";
import type { Hits } from "./weather.js";

/** What a member sees of the log. */
export interface LogView {
  /** What was appended to a partition so far. */
  appended(partition: number): readonly IncomingRecord[];
  /** Tells the group that the member is gone. */
  left(member: Member): void;
}

interface Reading {
  readonly partition: number;
  readonly lane: Lane;
  /** Offset that is fetched next; undefined while the lane is not open. */
  position: number | undefined;
  /** A batch is being handled. */
  batch: Promise<void> | undefined;
}

/**
 * A member of a group as the client library makes it: at every join all lanes are closed and opened anew, and until it
 * learns of a new assignment it goes on reading under the old one.
 */
export class Member implements Subscription {
  /** The assignment it acts on. */
  generation = 0;
  readonly process: Sender;
  readonly #options: SubscriptionOptions;
  readonly #log: LogView;
  readonly #chance: Chance;
  readonly #hits: Hits;
  #readings: Reading[] = [];
  readonly #closing = new Map<number, Promise<void>>();
  /** Looks at the ends of the log that are under way. */
  readonly #looks: { readonly partition: number; readonly seen: () => void }[] = [];
  #ended = false;

  constructor(process: Sender, options: SubscriptionOptions, log: LogView, chance: Chance, hits: Hits) {
    this.process = process;
    this.#options = options;
    this.#log = log;
    this.#chance = chance;
    this.#hits = hits;
  }

  /** False once it failed, is closing, or its process is gone. */
  get alive(): boolean {
    return this.process.alive && !this.#ended;
  }

  get isBusy(): boolean {
    return this.#readings.some(({ batch }) => batch);
  }

  assignment(): readonly { topic: string; partition: number }[] {
    return this.#readings.map(({ partition }) => ({ topic, partition }));
  }

  idleMilliseconds(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled(this.#readings.map(({ batch }) => batch));
    this.#loseAll();
    await Promise.allSettled(this.#closing.values());
    this.#log.left(this);
  }

  /** It learns which partitions it has, and no others. */
  assigned(generation: number, partitions: readonly number[]): void {
    if (this.isBusy) this.#hits.count("rebalance in the middle of a batch");
    this.generation = generation;
    this.#loseAll();
    for (const partition of partitions) this.#open(partition);
  }

  *steps(): Iterable<Step> {
    if (!this.process.alive || this.process.frozen) return;
    for (const look of this.#looks) {
      const take = () => {
        this.#looks.splice(this.#looks.indexOf(look), 1);
        look.seen();
      };
      yield { name: `${this.process.name} sees the end of ${look.partition}`, weight: 8, take };
    }
    if (this.#ended) return;
    for (const reading of this.#readings) {
      const { position, batch, partition } = reading;
      if (position === undefined || batch) continue;
      const there = this.#log.appended(partition).length - position;
      if (there <= 0) continue;
      yield {
        name: `${this.process.name} fetches ${partition} from ${position}`,
        weight: 6,
        take: () => this.#fetch(reading),
      };
    }
  }

  #open(partition: number): void {
    const lane = new Lane({ topic, partition }, this.#options.lane(topic, partition), {
      seek: (offset) => {
        reading.position = offset;
      },
      resume: () => {},
      assertReadable: () => new Promise((seen) => this.#looks.push({ partition, seen })),
      holdsRecords: async (from, to) => this.#log.appended(partition).length > from && to > from,
    });
    const reading: Reading = { partition, lane, position: undefined, batch: undefined };
    this.#readings.push(reading);
    lane.open(this.#closing.get(partition) ?? Promise.resolve()).catch((error: Error) => this.#fail(error));
  }

  #fetch(reading: Reading): void {
    const { lane, partition } = reading;
    const appended = this.#log.appended(partition);
    const wanted = reading.position as number;
    // The library may come with records from before the offset that it was asked for, and with what it fetched for a lane
    // that was there earlier.
    const away = this.#chance.of(0.06) ? this.#chance.between(-3, 3) : 0;
    const from = Math.min(Math.max(0, wanted + away), appended.length - 1);
    const records = appended.slice(
      from,
      Math.max(from, wanted) + this.#chance.between(1, this.#chance.pick([1, 4, 12])),
    );
    const lastOffset = from + records.length - 1;
    // What was appended since the fetch is not in its high watermark.
    const highWatermark = this.#chance.of(0.3)
      ? this.#chance.between(lastOffset + 1, appended.length)
      : appended.length;
    // A seek during the batch overrides it.
    reading.position = lastOffset + 1;
    reading.batch = lane
      .batch({ fetchedFrom: from, lastOffset, highWatermark, records, heartbeat: async () => {} })
      .catch((error: Error) => this.#fail(error))
      .finally(() => {
        reading.batch = undefined;
      });
  }

  #fail(error: Error): void {
    if (!this.alive) return;
    this.#ended = true;
    this.#loseAll();
    this.#options.onFailure(error);
  }

  #loseAll(): void {
    for (const { lane, partition } of this.#readings) {
      this.#closing.set(
        partition,
        lane.lose().catch(() => undefined),
      );
    }
    this.#readings = [];
  }
}
