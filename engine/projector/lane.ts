import { randomUUID } from "node:crypto";
import type { LaneContext } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Metrics } from "../service/metrics.js";
import { type FoldedBatch, type FolderOptions, LaneState } from "./batch.js";
import { type Checkpoint, type LanePlace, takeAgain, takeOver } from "./checkpoint.js";
import type { LaneEvent } from "./events.js";
import { type Failure, failureOf } from "./failure.js";
import { assertRoomForParked } from "./parked-limit.js";
import type { ParkedOperations, RestingLane } from "./parked-operations.js";
import type { Patience } from "./patience.js";
import type { ProjectorLogger } from "./ports.js";

export interface LaneOptions extends FolderOptions {
  /** Names this process, for who looks at the checkpoints. */
  readonly owner: string;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics;
  readonly patience: Patience;
  readonly operations?: ParkedOperations;
  /** Most keys a build may hold back before its projection stops; default 10,000. */
  readonly parkedLimit?: number;
}

type Outcome = "committed" | "lost" | Failure;

/** A lane that another owner took while the group still gives it to us is an error only when it lasts this long. */
const lostForMilliseconds = 60_000;

/**
 * One build's part of one partition: folds its events in order and writes them behind its fence.
 *
 * The statement of a batch is under way while the next one is folded, never more than one. When it was not committed
 * exactly as folded, everything folded after it is thrown away and folded again from the checkpoint.
 */
export class ProjectionLane implements RestingLane {
  readonly #options: LaneOptions;
  readonly #place: LanePlace;
  readonly #state: LaneState;
  #underWay: { readonly folded: FoldedBatch; readonly outcome: Promise<Outcome> } | undefined;
  #lostAt: number | undefined;
  /** Of this opening: the same process may be given the partition again while an older statement is still under way. */
  #owner = "";

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#place = { build: options.build, topic: options.topic, partition: options.partition };
    this.#state = new LaneState(options);
  }

  /** Takes the lane over. @returns the offset to read from. */
  async open(): Promise<number> {
    this.#underWay = undefined;
    this.#lostAt = undefined;
    const { pool, owner, patience, operations } = this.#options;
    if (operations) await patience.until("read what operators decided", () => operations.open());
    this.#owner = `${owner}/${randomUUID()}`;
    this.#state.reset(await patience.until("take over a partition", () => takeOver(pool, this.#place, this.#owner)));
    this.#tellParked();
    return this.#state.next;
  }

  /** True when this lane needs no decoded event at this offset. */
  needsNo(offset: number): boolean {
    return this.#state.needsNo(offset);
  }

  /** Does what operators asked for. Never beside a batch. */
  async attend(): Promise<void> {
    if (this.#lostAt === undefined) await this.#options.operations?.attend(this);
  }

  async apart(work: (epoch: number) => Promise<void>): Promise<void> {
    const { pool, patience } = this.#options;
    const context = { highWatermark: 0, isOwned: () => true, heartbeat: async () => {}, seek: () => {} };
    if ((await this.#finish(context)) === "lost") return;
    const epoch = this.#state.epoch;
    await work(epoch);
    const checkpoint = await patience.until("read the checkpoint again", () =>
      takeAgain(pool, this.#place, this.#owner, epoch),
    );
    if (checkpoint) this.#state.reset(checkpoint);
    else this.#lose();
    this.#tellParked();
  }

  /**
   * Handles events in order; those below the checkpoint are skipped. At the end of the log it returns when all is
   * written, before that it may leave one statement under way.
   * @throws what stops the process: an event of another journal, a position claimed twice, a missing table or grant.
   */
  async batch(events: readonly LaneEvent[], context: LaneContext): Promise<void> {
    if (this.#isLost(context)) return;
    const { patience, topic, partition } = this.#options;
    let folded: FoldedBatch | undefined;
    try {
      folded = await patience.until("read rows", () => this.#state.fold(events), context);
      await this.#assertRoom(folded, context);
    } catch (error) {
      await this.#underWay?.outcome.catch(() => {});
      throw error;
    }
    const before = await this.#finish(context);
    if (before === "lost") return;
    if (before === "again") await this.#settle(events, context);
    else if (folded) {
      const outcome = this.#write(folded, context);
      // It is looked at by the next batch, or below; until then a failure is nobody's unhandled rejection.
      outcome.catch(() => {});
      this.#underWay = { folded, outcome };
      if (folded.next >= context.highWatermark) await this.#finish(context);
    }
    this.#options.metrics?.set(
      "tributary_lag_events",
      { projection: this.#options.layout.name, topic, partition },
      Math.max(0, context.highWatermark - this.#state.next),
    );
    this.#tellParked();
  }

  #tellParked(): void {
    const { metrics, layout, topic, partition } = this.#options;
    metrics?.set("tributary_parked_keys", { projection: layout.name, topic, partition }, this.#state.heldKeys);
  }

  /** Waits for the statement under way, whose outcome no longer matters to this owner. */
  async close(): Promise<void> {
    await this.#underWay?.outcome.catch(() => {});
    this.#underWay = undefined;
  }

  #isLost(context: LaneContext): boolean {
    if (this.#lostAt === undefined) return false;
    if (context.isOwned() && Date.now() - this.#lostAt > lostForMilliseconds) {
      throw new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, this.#facts());
    }
    return true;
  }

  #facts() {
    const { layout, build, topic, partition } = this.#options;
    return { projection: layout.name, build: build.build, topic, partition };
  }

  #lose(): "lost" {
    this.#lostAt = Date.now();
    this.#options.logger.warn(
      { ...this.#facts(), code: "TRIB_PROJECT_FENCE_LOST", epoch: this.#state.epoch },
      "another process has taken over this partition; nothing of the batch was written",
    );
    return "lost";
  }

  /** Looks at the statement under way. `again`: it and all folded after it has to be folded again. */
  async #finish(context: LaneContext): Promise<"clean" | "again" | "lost"> {
    const underWay = this.#underWay;
    if (!underWay) return "clean";
    this.#underWay = undefined;
    const outcome = await underWay.outcome;
    if (outcome === "committed") {
      this.#committed(underWay.folded);
      return "clean";
    }
    if (outcome === "lost") return this.#lose();
    return this.#recover(underWay.folded.events, outcome, context);
  }

  #committed({ applied, parked }: FoldedBatch): void {
    const { metrics, logger, layout, topic, partition } = this.#options;
    metrics?.count("tributary_applied_events_total", { projection: layout.name, topic, partition }, applied);
    for (const { offset, code, eventId } of parked) {
      logger.error({ ...this.#facts(), offset, code, eventId }, "an event could not be applied; its key is parked");
    }
  }

  /** One try of the fenced statement, repeated only when it was certainly not written. */
  async #write(folded: FoldedBatch, context: LaneContext): Promise<Outcome> {
    const { pool, patience, metrics, layout } = this.#options;
    const { name, text } = this.#state.statement;
    const startedAt = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        const { rows } = await pool.query<{ count: number }>({ name, text, values: [...folded.values] });
        metrics?.observe(
          "tributary_batch_seconds",
          { projection: layout.name },
          (performance.now() - startedAt) / 1000,
        );
        return Number(rows[0]?.count) === 1 ? "committed" : "lost";
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === "wrong") throw this.#wrong(error);
        if (failure.kind !== "again") return failure;
        await patience.wait("write a batch", error, attempt, context);
      }
    }
  }

  /** @throws TRIB_PROJECT_TOO_MANY_PARKED */
  async #assertRoom(folded: FoldedBatch | undefined, context: LaneContext): Promise<void> {
    if (!folded || folded.parked.length === 0) return;
    const { pool, parkedLimit = 10_000, patience } = this.#options;
    const { heldKeys: held } = this.#state;
    const parking = { pool, limit: parkedLimit, place: this.#place, held, parked: folded.parked };
    await patience.until("count parked keys", () => assertRoomForParked(parking), context);
  }

  #wrong(cause: unknown): TributaryError {
    return new TributaryError("TRIB_PROJECT_WRITE_FAILED", undefined, this.#facts(), { cause });
  }

  /** After doubt or refusal: raises the epoch, reads where the build really is, and goes on from there. */
  async #recover(events: readonly LaneEvent[], failure: Failure, context: LaneContext): Promise<"again" | "lost"> {
    const { pool, patience, logger } = this.#options;
    logger.warn({ ...this.#facts(), code: failure.code, kind: failure.kind }, "a batch was not written as folded");
    const epoch = this.#state.epoch;
    const checkpoint: Checkpoint | undefined = await patience.until(
      "read the checkpoint again",
      () => takeAgain(pool, this.#place, this.#owner, epoch),
      context,
    );
    if (!checkpoint) return this.#lose();
    this.#state.reset(checkpoint);
    const left = events.filter(({ offset }) => offset >= checkpoint.nextOffset);
    const [only] = left;
    if (failure.kind !== "refused" || !only) return this.#settle(left, context);
    if (left.length === 1) {
      if (!this.#state.refuse(only.offset, failure.code)) throw this.#wrong(failure);
      return this.#settle(left, context);
    }
    // Halves in order, until the one event that is refused stands alone: its key is parked, all others flow.
    const middle = Math.ceil(left.length / 2);
    const first = await this.#settle(left.slice(0, middle), context);
    return first === "lost" ? first : this.#settle(left.slice(middle), context);
  }

  /** Folds and writes events one batch at a time, nothing under way before or after. */
  async #settle(events: readonly LaneEvent[], context: LaneContext): Promise<"again" | "lost"> {
    const folded = await this.#options.patience.until("read rows", () => this.#state.fold(events), context);
    if (!folded) return "again";
    await this.#assertRoom(folded, context);
    const outcome = await this.#write(folded, context);
    if (outcome === "lost") return this.#lose();
    if (outcome !== "committed") return this.#recover(folded.events, outcome, context);
    this.#committed(folded);
    return "again";
  }
}
