import type { IncomingRecord, LaneContext, LaneHandler, Log, Ownership } from "../log/log.js";
import { ConsumerLane, type ReadingOptions } from "./consumer-lane.js";
import type { FedBuild } from "./fed-build.js";
import type { ProjectionLane } from "./lane.js";

export interface FedPartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly reading: ReadingOptions;
  /** Builds that are to be fed from the topic now. */
  readonly builds: () => readonly FedBuild[];
  /** Looks anew which builds those are. */
  readonly look: () => Promise<void>;
}

/** A partition with a lane for every build that is to be fed: builds come with a rebuild, and go when they are dropped. */
export class FedPartition implements LaneHandler {
  readonly #options: FedPartitionOptions;
  readonly #lanes = new Map<FedBuild, ProjectionLane>();
  /** Builds that count this partition among their open lanes: none does whose opening failed. */
  readonly #counted = new Set<FedBuild>();
  #inner: ConsumerLane | undefined;

  constructor(options: FedPartitionOptions) {
    this.#options = options;
  }

  async open(ownership?: Ownership): Promise<number> {
    const { topic, partition, log, reading, builds, look } = this.#options;
    for (const fed of builds()) this.#lanes.set(fed, fed.lane(topic, partition));
    this.#inner = new ConsumerLane({
      ...reading,
      lanes: [...this.#lanes.values()],
      again: (from, to) => log.read(topic, partition, from, to),
      end: async () => (await log.watermarks(topic)).find((mark) => mark.partition === partition)?.high ?? 0,
      isGone: async (lane) => {
        await look();
        const [fed] = [...this.#lanes].find(([, one]) => one === lane) ?? [];
        if (!fed || builds().includes(fed)) return false;
        this.#lanes.delete(fed);
        await this.#closed(fed);
        return true;
      },
    });
    const offset = await this.#inner.open(ownership);
    for (const fed of this.#lanes.keys()) this.#opened(fed);
    return offset;
  }

  /** Whether there are builds to take up or to let go. */
  isBehind(): boolean {
    const wanted = this.#options.builds();
    return wanted.length !== this.#lanes.size || wanted.some((fed) => !this.#lanes.has(fed));
  }

  /** Does what operators asked for, and takes up and lets go builds. Never beside a batch. */
  async attend(): Promise<void> {
    await this.#follow();
    await this.#inner?.attend();
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    await this.#follow();
    await this.#inner?.batch(records, context);
  }

  async #follow(): Promise<void> {
    const { topic, partition, builds, look } = this.#options;
    const wanted = builds();
    for (const [fed, lane] of this.#lanes) {
      if (wanted.includes(fed)) continue;
      this.#lanes.delete(fed);
      await this.#closed(fed);
      await this.#inner?.remove(lane);
    }
    for (const fed of wanted) {
      if (this.#lanes.has(fed) || !this.#inner) continue;
      const lane = fed.lane(topic, partition);
      try {
        await this.#inner.add(lane);
      } catch (error) {
        // Dropped while it was being taken up.
        await look();
        if (builds().includes(fed)) throw error;
        await lane.close();
        continue;
      }
      this.#lanes.set(fed, lane);
      this.#opened(fed);
    }
  }

  #opened(fed: FedBuild): void {
    this.#counted.add(fed);
    fed.opened(this.#options.partition);
  }

  async #closed(fed: FedBuild): Promise<void> {
    if (this.#counted.delete(fed)) await fed.closed(this.#options.partition);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.keys()].map((fed) => this.#closed(fed)));
    this.#lanes.clear();
    await this.#inner?.close();
  }
}
