import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { assertPartitions } from "../intake/topic-partitions.js";
import type { Log } from "../log/log.js";
import type { Absence } from "../projector/absence.js";
import { type Build, indexBuild } from "../projector/build.js";
import { type LanePlace, takeOver } from "../projector/checkpoint.js";
import { type Decisions, noDecisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import type { EventSelection } from "../projector/events.js";
import type { FoldWatchdog } from "../projector/fold-watch.js";
import { assertSameLog } from "../projector/last-record.js";
import { layOut } from "../projector/layout.js";
import { assertRoomForParked, HeldHere } from "../projector/parked-limit.js";
import { Patience } from "../projector/patience.js";
import type { Decoder, Opener, ProjectorLogger } from "../projector/ports.js";
import { topicsOfProjections } from "../projector/roles.js";
import type { Write } from "../projector/statement.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type Claim, claimBuild } from "./claim.js";
import { copyFold } from "./copy-fold.js";
import { MemoryBudget } from "./memory.js";
import { Pace } from "./pace.js";
import { PartitionFold } from "./partition-fold.js";

export interface FillOptions {
  readonly projection: AnyProjection;
  /** Made for a rebuild or an as-of: see `createBuild`. */
  readonly build: Build;
  readonly log: Pick<Log, "read" | "watermarks">;
  /** As the owner of the database; two connections more than `connections`. */
  readonly pool: Pool;
  /** Of the projection's topic. */
  readonly decoder: Decoder;
  readonly opener: Opener;
  readonly logger: ProjectorLogger;
  /** What operators decided about events, read just before; default nothing. */
  readonly decisions?: Pick<Decisions, "of">;
  /** Of an as-of; default all events. */
  readonly selection?: EventSelection | undefined;
  /** Bytes that folded rows may take; default 400 MB. */
  readonly memoryBytes?: number;
  /** Partitions copied at once; default 2. */
  readonly connections?: number;
  /** Most events a second; default as fast as it goes. */
  readonly rate?: number;
  /** Most keys the build may hold back; default 10,000. */
  readonly parkedLimit?: number;
  readonly watchdog?: FoldWatchdog;
  /** Told now and then: events read, of so many that were there at the start. */
  readonly progress?: (events: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** The build's, where the caller has claimed it; default one of its own while it fills. */
  readonly claim?: Claim;
}

/** Of Postgres: two rows have one key. */
const uniqueViolation = "23505";

/** Rows of a key come from one partition: twice there are only those whose events are in two. */
function keysInTwoPartitions(projection: AnyProjection, cause: unknown): TributaryError {
  const { name } = projection;
  const topics = topicsOfProjections([projection]).join(", ");
  const detail = `Keys of ${name} have events in more than one partition, in no order: partitions were added to a topic.`;
  return new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", detail, { projection: name, topics }, { cause });
}

/** Where lanes go on: what was not, or not wholly, filled. */
export interface Unfilled {
  readonly topic: string;
  readonly partition: number;
  /** Keys met before the offset, where the partition was begun; else nothing of it was filled. */
  readonly met?: { readonly before: number; readonly absence: Absence };
}

export interface Filled {
  /** Events read. */
  readonly events: number;
  /** Partitions that did not fit into memory, or whose rows Postgres refused: their lanes read most of the log. */
  readonly unfilled: readonly Unfilled[];
}

interface Partition {
  readonly place: LanePlace;
  readonly end: number;
  /** How many the topic has. */
  readonly partitions: number;
}

class Filling {
  readonly #options: FillOptions;
  readonly #layout;
  readonly #patience: Patience;
  readonly #budget: MemoryBudget;
  readonly #pace: Pace;
  readonly #owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}/rebuild`;
  readonly #heldHere = new HeldHere();
  readonly #copying = new Set<Promise<void>>();
  readonly unfilled: Unfilled[] = [];
  events = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: FillOptions) {
    const { logger, memoryBytes = 400e6, rate } = options;
    this.#options = options;
    this.#layout = layOut(options.projection);
    this.#patience = new Patience({ logger });
    this.#budget = new MemoryBudget(memoryBytes);
    this.#pace = new Pace(rate);
  }

  /** Every partition that has nothing yet, in turn; those folded are copied meanwhile. */
  async run(): Promise<void> {
    const { projection, progress } = this.#options;
    const partitions: Partition[] = [];
    const topics = topicsOfProjections([projection]);
    await assertPartitions(this.#options.log, this.#options.pool, topics);
    for (const topic of topics) {
      const marks = await this.#options.log.watermarks(topic);
      for (const { partition, high } of marks) {
        const place = { build: this.#options.build, topic, partition };
        partitions.push({ place, end: high, partitions: marks.length });
      }
    }
    const total = partitions.reduce((sum, { end }) => sum + end, 0);
    try {
      for (const partition of partitions) {
        await this.#fill(partition, (events) => {
          this.events += events;
          progress?.(this.events, total);
        });
      }
    } finally {
      await Promise.all(this.#copying);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Rows that never change can be written at any time: the partition may be of any size, and is resumed where it stands. */
  get #isStreamed(): boolean {
    return this.#layout.tables.every(({ kind }) => kind === "appended");
  }

  async #fill({ place, end, partitions }: Partition, progress: (events: number) => void): Promise<void> {
    const { pool, log } = this.#options;
    const checkpoint = await this.#patience.until("take over a partition", () =>
      takeOver(pool, place, this.#owner, { isOwned: () => true, partitions }),
    );
    if (checkpoint.nextOffset > 0 && !this.#isStreamed) {
      progress(Math.min(end, checkpoint.nextOffset));
      return;
    }
    await this.#patience.until("read the last record again", () => assertSameLog(log, place, checkpoint));
    progress(checkpoint.nextOffset);
    const { topic, partition } = place;
    const { decisions, watchdog } = this.#options;
    const watch = watchdog?.lane({ projection: this.#layout.name, topic, partition });
    const fold = new PartitionFold(
      {
        ...this.#options,
        layout: this.#layout,
        topic,
        partition,
        published: this.#layout.definition.topic === undefined,
        patience: this.#patience,
        decisions: decisions?.of(topic, partition) ?? noDecisions,
        budget: this.#budget,
        pace: this.#pace,
        progress,
        ...(watch ? { watch } : {}),
      },
      checkpoint,
    );
    let refused = false;
    const handOver = this.#isStreamed
      ? async (folded: Write) => {
          if (!refused) refused = !(await this.#copy(place, fold, folded));
        }
      : undefined;
    const whole = await fold.until(end, handOver);
    await this.#room();
    if (!whole) {
      this.unfilled.push({ topic, partition, met: { before: fold.next, absence: fold.absence() } });
    }
    if (!fold.hasPending || refused) {
      this.#budget.release(fold);
      return;
    }
    const copying = this.#copy(place, fold, fold.take())
      .then(
        () => {},
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => {
        this.#budget.release(fold);
        this.#copying.delete(copying);
      });
    this.#copying.add(copying);
  }

  /** Resolves when one more partition may be copied. @throws what a copy before it failed with. */
  async #room(): Promise<void> {
    while (this.#copying.size >= (this.#options.connections ?? 2)) await Promise.race(this.#copying);
    if (this.#failure) throw this.#failure.error;
  }

  /** @returns false when Postgres refuses the data: the lane looks for the event and parks its key. */
  async #copy(place: LanePlace, fold: PartitionFold, folded: Write): Promise<boolean> {
    const { pool, parkedLimit: limit = 10_000, logger } = this.#options;
    const heldHere = this.#heldHere;
    heldHere.set(place, fold.heldKeys);
    const parking = { pool, place, limit, heldHere, parked: folded.parked };
    await this.#patience.until("count parked keys", () => assertRoomForParked(parking));
    const parts = { pool, layout: this.#layout, patience: this.#patience, owner: this.#owner };
    const refused = await copyFold(parts, place, folded);
    if (refused === undefined) return true;
    const { topic, partition } = place;
    logger.warn({ projection: this.#layout.name, topic, partition, code: refused }, "rows were refused: lanes go on");
    const index = this.unfilled.findIndex((one) => one.topic === topic && one.partition === partition);
    if (index >= 0) this.unfilled.splice(index, 1);
    this.unfilled.push({ topic, partition });
    return false;
  }
}

/**
 * Fills an empty build from the log: each partition is folded in memory up to where the log ends, and copied into tables
 * without indexes, its checkpoint in the same transaction. Then the tables get their keys and indexes, and lanes can go on.
 *
 * A partition that does not fit into memory is copied as far as it came; lanes read the rest. A process that is killed
 * leaves whole partitions or nothing of them, and the next call fills what is missing.
 *
 * @throws TRIB_REPLAY_BUSY while another process fills it, or it is a consumer's; TRIB_PROJECT_FENCE_LOST when another
 *   owner came all the same; TRIB_PROJECT_TOO_MANY_PARKED; TRIB_LOG_PARTITIONS_CHANGED; what a lane stops for.
 */
export async function fillBuild(options: FillOptions): Promise<Filled> {
  const { build, pool, projection } = options;
  if (build.feed !== "rebuild" && build.feed !== "as-of") {
    throw new TributaryError(
      "TRIB_REPLAY_BUSY",
      `Build ${build.build} of ${build.projection} is fed by its consumer.`,
      { projection: build.projection, build: build.build },
    );
  }
  const claim = options.claim ?? (await claimBuild(pool, build));
  const unclaimed = new AbortController();
  claim.lost.catch((error: unknown) => unclaimed.abort(error));
  const signal = options.signal ? AbortSignal.any([options.signal, unclaimed.signal]) : unclaimed.signal;
  try {
    const filling = new Filling({ ...options, signal });
    if (!build.indexed) await filling.run();
    await indexBuild(pool, projection, build).catch((error: unknown) => {
      throw (error as { code?: unknown }).code === uniqueViolation ? keysInTwoPartitions(projection, error) : error;
    });
    return { events: filling.events, unfilled: filling.unfilled };
  } finally {
    if (!options.claim) claim.release();
  }
}
