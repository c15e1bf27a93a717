import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { assertPartitions } from "../intake/topic-partitions.js";
import type { Log } from "../log/log.js";
import type { Absence } from "../projector/absence.js";
import { type Build, indexBuild } from "../projector/build.js";
import { type LanePlace, takeOver } from "../projector/checkpoint.js";
import type { Decisions } from "../projector/decisions.js";
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
import { type FillPlace, placesToFill } from "./fill-places.js";
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
  /** Bytes that folded rows may take, those of helpers included; default 400 MB. */
  readonly memoryBytes?: number;
  /** Partitions copied at once, those of helpers included; default 2. */
  readonly connections?: number;
  /** Other threads that may fill partitions at the same time; fewer than `connections`. Default none. */
  readonly helpers?: readonly FillHelper[];
  /** Events for which one more thread is worth its start; default 100,000. */
  readonly eventsPerThread?: number;
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

/** What one thread of several does of a fill, and with how much. */
export interface FillShare extends Required<Pick<FillOptions, "build" | "memoryBytes" | "connections">> {
  readonly rate: number | undefined;
  /** The partition to be filled next, until there is none. */
  readonly next: () => FillPlace | undefined;
  /** Told how many events were read. */
  readonly read: (events: number) => void;
  readonly signal: AbortSignal;
}

/** Another thread that fills partitions of the same build. */
export interface FillHelper {
  /** Resolves when it has filled what it was given. @throws what it stopped for. */
  fill(share: FillShare): Promise<readonly Unfilled[]>;
}

const defaultMemoryBytes = 400e6;
const defaultConnections = 2;

class Filling {
  readonly #options: FillOptions;
  readonly #layout;
  readonly #patience: Patience;
  readonly #budget: MemoryBudget;
  readonly #pace: Pace;
  readonly #owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}/rebuild`;
  readonly #heldHere = new HeldHere();
  readonly #copying = new Set<Promise<void>>();
  readonly #unfilled: Unfilled[] = [];
  readonly #read: (events: number) => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: FillOptions, read: (events: number) => void) {
    const { logger, memoryBytes = defaultMemoryBytes, rate } = options;
    this.#options = options;
    this.#layout = layOut(options.projection);
    this.#patience = new Patience({ logger });
    this.#budget = new MemoryBudget(memoryBytes);
    this.#pace = new Pace(rate);
    this.#read = read;
  }

  /** Every partition that it is given and that has nothing yet, in turn; those folded are copied meanwhile. */
  async run(next: () => FillPlace | undefined | Promise<FillPlace | undefined>): Promise<readonly Unfilled[]> {
    try {
      for (let place = await next(); place; place = await next()) await this.#fill(place);
    } finally {
      await Promise.all(this.#copying);
    }
    if (this.#failure) throw this.#failure.error;
    return this.#unfilled;
  }

  /** Rows that never change can be written at any time: the partition may be of any size, and is resumed where it stands. */
  get #isStreamed(): boolean {
    return this.#layout.tables.every(({ kind }) => kind === "appended");
  }

  async #fill({ topic, partition, end, partitions, decisions }: FillPlace): Promise<void> {
    const { pool, log, build } = this.#options;
    const place: LanePlace = { build, topic, partition };
    const progress = this.#read;
    const checkpoint = await this.#patience.until("take over a partition", () =>
      takeOver(pool, place, this.#owner, { isOwned: () => true, partitions }),
    );
    if (checkpoint.nextOffset > 0 && !this.#isStreamed) {
      progress(Math.min(end, checkpoint.nextOffset));
      return;
    }
    await this.#patience.until("read the last record again", () => assertSameLog(log, place, checkpoint));
    progress(checkpoint.nextOffset);
    const { watchdog } = this.#options;
    const watch = watchdog?.lane({ projection: this.#layout.name, topic, partition });
    const fold = new PartitionFold(
      {
        ...this.#options,
        layout: this.#layout,
        topic,
        partition,
        published: this.#layout.definition.topic === undefined,
        patience: this.#patience,
        decisions,
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
      this.#unfilled.push({ topic, partition, met: { before: fold.next, absence: fold.absence() } });
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
    while (this.#copying.size >= (this.#options.connections ?? defaultConnections)) await Promise.race(this.#copying);
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
    const index = this.#unfilled.findIndex((one) => one.topic === topic && one.partition === partition);
    if (index >= 0) this.#unfilled.splice(index, 1);
    this.#unfilled.push({ topic, partition });
    return false;
  }
}

/**
 * Fills the partitions that a thread beside the one of `fillBuild` is given: see `FillHelper`.
 * @param next the partition to be filled next, until there is none.
 * @param read told how many events were read.
 * @throws as `fillBuild`.
 */
export const fillPlaces = (
  options: FillOptions,
  next: () => Promise<FillPlace | undefined>,
  read: (events: number) => void,
): Promise<readonly Unfilled[]> => new Filling(options, read).run(next);

/** Shares the partitions out among this thread and its helpers: whoever is done takes the next one. */
async function fillTogether(options: FillOptions, signal: AbortSignal): Promise<Filled> {
  const { build, memoryBytes = defaultMemoryBytes, connections = defaultConnections, rate } = options;
  const places = await placesToFill(options);
  const total = places.reduce((sum, { end }) => sum + end, 0);
  let events = 0;
  const failing = new AbortController();
  const worth = Math.ceil(total / (options.eventsPerThread ?? 100_000));
  const helpers = (options.helpers ?? []).slice(0, Math.max(0, Math.min(worth, places.length) - 1));
  const threads = 1 + helpers.length;
  const share: FillShare = {
    build,
    memoryBytes: memoryBytes / threads,
    connections: Math.max(1, Math.floor(connections / threads)),
    rate: rate === undefined ? undefined : rate / threads,
    next: () => places.shift(),
    read: (count) => {
      events += count;
      options.progress?.(events, total);
    },
    signal: AbortSignal.any([signal, failing.signal]),
  };
  const { rate: ownRate, ...own } = share;
  const filling = new Filling({ ...options, ...own, ...(ownRate === undefined ? {} : { rate: ownRate }) }, share.read);
  const working = [filling.run(share.next), ...helpers.map((helper) => helper.fill(share))];
  for (const one of working) one.catch((error: unknown) => failing.abort(error));
  const ended = await Promise.allSettled(working);
  // What ended the others is their reason too.
  if (failing.signal.aborted) throw failing.signal.reason;
  return { events, unfilled: ended.flatMap((one) => (one.status === "fulfilled" ? one.value : [])) };
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
    if (!build.indexed) await assertPartitions(options.log, pool, topicsOfProjections([projection]));
    const filled = build.indexed ? { events: 0, unfilled: [] } : await fillTogether(options, signal);
    await indexBuild(pool, projection, build).catch((error: unknown) => {
      throw (error as { code?: unknown }).code === uniqueViolation ? keysInTwoPartitions(projection, error) : error;
    });
    return filled;
  } finally {
    if (!options.claim) claim.release();
  }
}
