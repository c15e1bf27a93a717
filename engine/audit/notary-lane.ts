import { randomUUID } from "node:crypto";
import type { IncomingRecord, LaneContext, LaneHandler, Log } from "../log/log.js";
import { failureOf } from "../projector/failure.js";
import { recordAt } from "../projector/last-record.js";
import type { Patience } from "../projector/patience.js";
import type { ProjectorLogger } from "../projector/ports.js";
import { TributaryError } from "../service/errors.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import { type NotaryKey, signHead } from "./checkpoint.js";
import { Frontier, leafHash } from "./merkle.js";
import {
  type ChainStep,
  chainHash,
  type FormedSubtree,
  keptFromLevel,
  type LaneStanding,
  signedHeads,
  takeAgain,
  takeOver,
  writeStep,
} from "./notary-store.js";
import { type ChainPlace, chained, chainedGap } from "./record-chain.js";
import { exportHeads, type SecondPlace } from "./second-place.js";

export interface NotaryLaneOptions {
  readonly place: ChainPlace;
  readonly log: Pick<Log, "read">;
  readonly pool: Pool;
  readonly key: NotaryKey;
  readonly second: SecondPlace;
  readonly owner: string;
  readonly logger: ProjectorLogger;
  readonly patience: Patience;
  /** Told when the lane can't go on outside of a batch: the process must exit. */
  readonly onFailure: (error: Error) => void;
  readonly metrics?: Metrics;
  /** Longest time that a record stays without a signature, in milliseconds. */
  readonly signMilliseconds: number;
  /** Records after which a head is signed while there is more to read; default 100,000. */
  readonly signRecords?: number;
  /** Records written at once; default 10,000. */
  readonly batchRecords?: number;
  /** Milliseconds that a lost fence may go unexplained; default 30,000. */
  readonly fencePatience?: number;
}

/** The notary's part of one partition: chains the records in order, and signs what it has seen. */
export class NotaryLane implements LaneHandler {
  readonly #options: NotaryLaneOptions;
  #standing: LaneStanding | undefined;
  #owner = "";
  #signedAt = 0;
  #exported = 0;
  #timer: NodeJS.Timeout | undefined;
  #lostTimer: NodeJS.Timeout | undefined;
  /** Batches and signing by the clock take turns. */
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: NotaryLaneOptions) {
    this.#options = options;
  }

  /**
   * @throws TRIB_AUDIT_HISTORY_DIVERGED when the second place knows of records that the database has lost;
   *   TRIB_LOG_REPLACED when another record stands where the last one was chained.
   */
  async open(): Promise<number> {
    const { pool, place, owner, patience, second, signMilliseconds } = this.#options;
    this.#closed = false;
    this.#owner = `${owner}/${randomUUID()}`;
    const standing = await patience.until("take over a partition", () => takeOver(pool, place, this.#owner));
    this.#standing = standing;
    await patience.until("read the last record again", () => this.#assertSameLog(standing));
    this.#exported = (await second.sizes(place)).at(-1) ?? 0;
    await patience.until("compare with the second place", () => this.#assertSameHistory(standing));
    await this.#export();
    this.#timer = setInterval(() => this.#signByClock(), Math.min(signMilliseconds, 60_000));
    this.#timer.unref();
    return standing.nextOffset;
  }

  /** A topic that was made anew, and has grown beyond what was chained, is to be noticed before anything is chained to it. */
  async #assertSameLog({ nextOffset, head }: LaneStanding): Promise<void> {
    if (nextOffset === 0) return;
    const { log, pool, place } = this.#options;
    const offset = nextOffset - 1;
    const record = await recordAt(log, place, offset);
    // An offset without a record, or one that retention took.
    if (!record || head.equals(chained(await chainHash(pool, place, offset - 1), record))) return;
    const { topic, partition } = place;
    throw new TributaryError("TRIB_LOG_REPLACED", undefined, { topic, partition, offset });
  }

  /** What the second place knows must be what the database knows: else it was restored to an older state, or rewritten. */
  async #assertSameHistory({ nextOffset }: LaneStanding): Promise<void> {
    const { pool, place, second } = this.#options;
    const size = this.#exported;
    if (size === 0) return;
    const outside = await second.read(place, size);
    const [inside] = await signedHeads(pool, place, size);
    const same = inside?.size === size && (!outside || outside.root.equals(inside.root));
    if (size <= nextOffset && same) return;
    const { topic, partition } = place;
    throw new TributaryError("TRIB_AUDIT_HISTORY_DIVERGED", undefined, { topic, partition, size, nextOffset });
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    await this.#inTurn(async () => {
      const { batchRecords = 10_000, metrics, place } = this.#options;
      for (let at = 0; at < records.length; at += batchRecords) {
        await this.#take(records.slice(at, at + batchRecords), context);
      }
      const { topic, partition } = place;
      const lag = Math.max(0, context.highWatermark - (this.#standing?.nextOffset ?? context.highWatermark));
      metrics?.set("tributary_notary_lag_records", { topic, partition }, lag);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#lostTimer);
    await this.#turn;
    this.#standing = undefined;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    await turn;
  }

  async #take(given: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    for (;;) {
      const standing = this.#standing;
      const records = standing ? given.filter(({ offset }) => offset >= standing.nextOffset) : [];
      const [first] = records;
      if (!standing || !first) return;
      const steps = await this.#steps(standing.nextOffset, records, context);
      if (!steps) return;
      const { frontier, ...added } = grown(standing, steps);
      const isEnd = frontier.size >= context.highWatermark;
      await this.#write(standing, added, frontier, this.#isDue(frontier.size, isEnd), context);
    }
  }

  /**
   * What is chained next: records, and an undefined for each offset that has none. At most about as many as are written at
   * once: what is left is asked for anew.
   * @returns undefined when the lane has to read again from where it stands.
   * @throws TRIB_LOG_TRUNCATED when offsets are left out by a log that leaves none out.
   */
  async #steps(
    next: number,
    records: readonly IncomingRecord[],
    context: LaneContext,
  ): Promise<readonly (IncomingRecord | undefined)[] | undefined> {
    const { batchRecords = 10_000, place, logger } = this.#options;
    const steps: (IncomingRecord | undefined)[] = [];
    for (const record of records) {
      const expected = next + steps.length;
      if (record.offset > expected) {
        const { topic, partition } = place;
        const facts = { topic, partition, expected, found: record.offset };
        if (!context.holdsRecords) throw new TributaryError("TRIB_LOG_TRUNCATED", undefined, facts);
        if (await context.holdsRecords(expected, record.offset)) {
          logger.warn(facts, "records were left out by the log's client; reading again from there");
          // What came before is written first; a lane that comes back asks again.
          if (steps.length > 0) return steps;
          context.seek(expected);
          return undefined;
        }
        const room = Math.min(record.offset - expected, batchRecords);
        for (let index = 0; index < room; index++) steps.push(undefined);
        if (expected + room < record.offset) return steps;
      }
      steps.push(record);
    }
    return steps;
  }

  #isDue(size: number, isEnd: boolean): boolean {
    const { signRecords = 100_000, signMilliseconds } = this.#options;
    const waiting = size - (this.#standing?.signedSize ?? size);
    if (waiting <= 0) return false;
    return waiting >= signRecords || (isEnd && Date.now() - this.#signedAt >= signMilliseconds);
  }

  /** Afterwards the lane stands where it really is: behind the records, where it was, or nowhere. */
  async #write(
    standing: LaneStanding,
    { hashes, subtrees }: Pick<ChainStep, "hashes" | "subtrees">,
    frontier: Frontier,
    isDue: boolean,
    context?: LaneContext,
  ): Promise<void> {
    const { pool, place, key, metrics } = this.#options;
    const now = Date.now();
    const head = { ...place, size: frontier.size, root: frontier.root(), signedAt: now };
    const step: ChainStep = {
      epoch: standing.epoch,
      first: standing.nextOffset,
      hashes,
      frontier,
      subtrees,
      ...(isDue ? { signed: { ...signHead(key, head), publicKey: key.publicKey } } : {}),
    };
    let written: boolean;
    try {
      written = await writeStep(pool, place, step);
    } catch (error) {
      await this.#afterDoubt(error, context);
      return;
    }
    if (!written) {
      this.#lose();
      return;
    }
    this.#standing = {
      ...standing,
      nextOffset: frontier.size,
      head: hashes.at(-1) ?? standing.head,
      frontier,
      signedSize: isDue ? frontier.size : standing.signedSize,
    };
    metrics?.count(
      "tributary_notarised_records_total",
      { topic: place.topic, partition: place.partition },
      hashes.length,
    );
    if (isDue) {
      this.#signedAt = now;
      await this.#export();
    }
  }

  /** A statement that failed may have been committed: the lane reads where it stands, which shuts that statement out. */
  async #afterDoubt(error: unknown, context?: LaneContext): Promise<void> {
    const { pool, place, patience } = this.#options;
    const { kind } = failureOf(error);
    if (kind !== "again" && kind !== "doubt") throw error;
    await patience.wait("write hashes", error, 0, context);
    const again = await patience.until("read the checkpoint again", () => takeAgain(pool, place, this.#owner), context);
    if (again) this.#standing = again;
    else this.#lose();
  }

  /** The second place is brought up again with the next head when it can't be written now: the chain goes on. */
  async #export(): Promise<void> {
    const { pool, place, second, logger } = this.#options;
    const { topic, partition } = place;
    try {
      this.#exported = await exportHeads(pool, place, second, this.#exported);
    } catch (error) {
      if (error instanceof TributaryError && error.code === "TRIB_AUDIT_HISTORY_DIVERGED") throw error;
      logger.error({ err: error, topic, partition, exported: this.#exported }, "signed heads could not be exported");
    }
  }

  /** Signs what no later record took along. */
  #signByClock(): void {
    const work = async () => {
      const standing = this.#standing;
      if (this.#closed || !standing) return;
      const nothing = { hashes: [], subtrees: [] };
      if (this.#isDue(standing.nextOffset, true)) await this.#write(standing, nothing, standing.frontier, true);
      else if (this.#exported < standing.signedSize) await this.#export();
    };
    this.#inTurn(work).catch((error: Error) => {
      if (!this.#closed) this.#options.onFailure(error);
    });
  }

  /** As a rule the group takes the partition away next; when it doesn't, the process must not go on in vain. */
  #lose(): void {
    const { place, logger, onFailure, fencePatience = 30_000 } = this.#options;
    const { topic, partition } = place;
    this.#standing = undefined;
    logger.warn({ topic, partition, code: "TRIB_AUDIT_FENCE_LOST" }, "another notary has taken over this partition");
    this.#lostTimer = setTimeout(
      () => onFailure(new TributaryError("TRIB_AUDIT_FENCE_LOST", undefined, { topic, partition })),
      fencePatience,
    );
  }
}

/**
 * The chain after each offset, and the tree with them. The tree given stays as it is: the write may fail.
 * @param steps a record each, or undefined for an offset that has none.
 */
function grown(standing: LaneStanding, steps: readonly (IncomingRecord | undefined)[]) {
  const frontier = new Frontier(standing.frontier.size, standing.frontier.bytes());
  const hashes: Buffer[] = [];
  const subtrees: FormedSubtree[] = [];
  const formed = (level: number, index: number, hash: Buffer) => {
    if (level >= keptFromLevel) subtrees.push({ level, index, hash });
  };
  let head = standing.head;
  for (const [index, record] of steps.entries()) {
    head = record ? chained(head, record) : chainedGap(head, standing.nextOffset + index);
    hashes.push(head);
    frontier.append(leafHash(head), formed);
  }
  return { hashes, frontier, subtrees };
}
