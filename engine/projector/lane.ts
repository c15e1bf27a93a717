import { randomUUID } from "node:crypto";
import type { LaneContext, Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Outcome, WriteSource } from "./build-writer.js";
import { type Checkpoint, type LanePlace, takeAgain, takeOver } from "./checkpoint.js";
import type { LaneEvent } from "./events.js";
import type { Failure } from "./failure.js";
import { InHand } from "./in-hand.js";
import type { LaneOptions } from "./lane-options.js";
import { LaneState } from "./lane-state.js";
import { assertRoomForParked, HeldHere } from "./parked-limit.js";
import type { RestingLane } from "./parked-requests.js";
import { RowSizes } from "./row-sizes.js";
import type { Write } from "./statement.js";

/** A lane that another owner took while the group still gives it to us is an error only when it lasts this long. */
const lostMilliseconds = 30_000;
/** A lane's turn came too early; it will ask again. */
const notNow = new Error("not now");
const isFull = (error: unknown): error is TributaryError =>
  error instanceof TributaryError && error.code === "TRIB_PROJECT_TOO_MANY_PARKED";
/** Rows an event from which on collecting saves nothing. */
const onceWritten = 0.95;
/** Rows of up to so many bytes in memory are kept as many as may be; of larger ones fewer. */
const ordinaryRowBytes = 2_000;
/** Bytes of rows, as they are in memory, that are written without waiting for more. */
const flushBytes = 16e6;
/** Events folded at once while the lane looks for what went wrong. */
const carefulEvents = 1_000;

/**
 * One build's part of one partition: folds its events in order and writes them behind its fence.
 *
 * While a statement is under way the next events are folded; there is never more than one. At the end of the log all is
 * written at once, before that a lane collects, so that rows which change again and again are written once. When a
 * statement was not written exactly as folded, everything folded after it is thrown away, and read and folded again from
 * the checkpoint on.
 */
export class ProjectionLane implements WriteSource, RestingLane {
  readonly #options: LaneOptions;
  readonly #place: LanePlace;
  readonly #state: LaneState;
  readonly #sizes: RowSizes;
  readonly #inHand: InHand;
  readonly #heldHere: HeldHere;
  /** Bytes of rows, as they are in memory, that are folded and not taken, and of those on their way to Postgres. */
  #pendingBytes = 0;
  #takenBytes = 0;
  #underWay: Promise<void> | undefined;
  /** Why the statement before was not written. */
  #failure: Failure | undefined;
  #thrown: { readonly error: unknown } | undefined;
  #taken: Pick<ReturnType<LaneState["take"]>, "applied" | "parked" | "refusals"> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isLost = false;
  /** Whether there is room for what is to be parked is not known yet: nothing may be taken. */
  #isCounting = false;
  /** Of this opening: the same process may be given the partition again while an older statement is still under way. */
  #owner = "";

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#place = { build: options.build, topic: options.topic, partition: options.partition };
    this.#sizes = new RowSizes(options.layout);
    // Of large rows as many fewer are kept.
    const cacheRows = () => options.cacheRows() * Math.min(1, ordinaryRowBytes / this.#sizes.keyedRow);
    this.#state = new LaneState({ ...options, cacheRows });
    this.#inHand = options.inHand ?? new InHand();
    this.#heldHere = options.heldHere ?? new HeldHere();
  }

  /** Takes the lane over. @returns the offset to read from. */
  async open(ownership?: Ownership): Promise<number> {
    this.#isLost = false;
    const { pool, owner, patience, loader, operations, assertSameLog } = this.#options;
    if (operations) await patience.until("read what operators decided", () => operations.open(), ownership);
    this.#owner = `${owner}/${randomUUID()}`;
    const taking = () => takeOver(pool, this.#place, this.#owner, ownership);
    const checkpoint = await patience.until("take over a partition", taking, ownership);
    await patience.until("read the last record again", () => assertSameLog(checkpoint), ownership);
    this.#state.reset(checkpoint);
    const { met } = this.#options;
    const looking = () => loader.isEmpty();
    if (met?.before === this.#state.next) this.#state.beginEmpty(met.absence);
    else if (this.#state.next === 0 && (await patience.until("look at the tables", looking, ownership))) {
      this.#state.beginEmpty();
    }
    this.#weigh();
    this.#tellParked();
    return this.#state.next;
  }

  /** True when this lane needs no decoded event at this offset. */
  needsNo(offset: number): boolean {
    return this.#state.needsNo(offset);
  }

  /** Does what operators asked for. Never beside a batch. */
  async attend(): Promise<void> {
    if (!this.#isLost) await this.#options.operations?.attend(this);
  }

  async apart(work: (epoch: number) => Promise<void>): Promise<void> {
    const context = { highWatermark: 0, isOwned: () => true, heartbeat: async () => {}, seek: () => {} };
    await this.#drain(context);
    if (this.#isLost) return;
    await work(this.#state.epoch);
    await this.#takeAgain(context);
    this.#tellParked();
  }

  /**
   * Handles events in order; those below the checkpoint are skipped. At the end of the log it returns when all is
   * written, before that it may leave a statement under way and events to be written with the next one.
   * @throws what stops the process: an event of another journal, a position claimed twice, a missing table or grant.
   */
  async batch(events: readonly LaneEvent[], context: LaneContext): Promise<void> {
    try {
      if (!this.#isLost && (await this.#whole(context))) {
        await this.#settleRequests(context);
        if (!this.#isLost) await this.#handle(events, context);
      }
    } catch (error) {
      // Whoever has the partition now meets the same, if it is more than the end of this ownership.
      if (context.isOwned()) throw error;
    }
    const { metrics, layout, topic, partition } = this.#options;
    const lag = Math.max(0, context.highWatermark - this.#state.next);
    metrics?.set("tributary_lag_events", { projection: layout.name, topic, partition }, lag);
    this.#tellParked();
  }

  async #settleRequests(context: LaneContext): Promise<void> {
    const { operations, patience } = this.#options;
    if (operations) await patience.until("carry out what was decided", () => operations.settle(this), context);
  }

  /** Rows wait for events that change them again. Where hardly any do, as with nothing but new keys, they only take room. */
  get #hasEnough(): boolean {
    const { flushEvents = 32_000, flushRows = 12_000 } = this.#options;
    const { pendingEvents, pendingRows } = this.#state;
    if (this.#pendingBytes >= flushBytes || (pendingRows > 0 && this.#inHand.isFull)) return true;
    const mostRows = pendingRows > pendingEvents * onceWritten ? flushRows / 3 : flushRows;
    return pendingEvents >= flushEvents || pendingRows >= mostRows;
  }

  async #handle(events: readonly LaneEvent[], context: LaneContext): Promise<void> {
    try {
      await this.#fold(events, context);
    } catch (error) {
      if (!isFull(error)) throw error;
      // What comes before the event that has no room is written before the lane stops there.
      await this.#underWay;
      this.#isCounting = false;
      await this.#recover({ kind: "refused", code: error.code }, context);
      return;
    }
    if (this.#state.next >= context.highWatermark) await this.#drain(context);
    else if (this.#hasEnough) {
      await this.#underWay;
      if (await this.#whole(context)) this.#write();
    } else this.#writeLater();
  }

  /** @throws TRIB_PROJECT_TOO_MANY_PARKED before anything of it is written. */
  async #fold(events: readonly LaneEvent[], context: LaneContext): Promise<void> {
    const { pool, patience, parkedLimit: limit = 10_000 } = this.#options;
    const before = this.#state.heldKeys;
    await patience.until("read rows", () => this.#state.fold(events), context);
    this.#weigh();
    const { heldKeys: held, parked } = this.#state;
    if (held === before) return;
    this.#isCounting = true;
    const parking = { pool, limit, place: this.#place, heldHere: this.#heldHere, parked };
    await patience.until("count parked keys", () => assertRoomForParked(parking), context);
    this.#isCounting = false;
  }

  #weigh(): void {
    this.#pendingBytes = this.#sizes.estimate(this.#state.changes, 0);
    this.#inHand.set(this, this.#pendingBytes + this.#takenBytes);
    this.#heldHere.set(this.#place, this.#state.heldKeys);
  }

  /** Writes all that is folded. */
  async #drain(context: LaneContext): Promise<void> {
    for (;;) {
      await this.#underWay;
      if (!(await this.#whole(context)) || !this.#state.hasPending) return;
      this.#write();
    }
  }

  /** Mends what the last statement left. @returns false when the lane is lost. */
  async #whole(context: LaneContext): Promise<boolean> {
    if (this.#thrown) throw this.#thrown.error;
    const failure = this.#failure;
    if (!failure) return !this.#isLost;
    this.#failure = undefined;
    return this.#recover(failure, context);
  }

  /** Called when the statement can take it. */
  take(): Write {
    if (this.#isCounting) throw notNow;
    this.#weigh();
    this.#takenBytes = this.#pendingBytes;
    this.#pendingBytes = 0;
    const write = this.#state.take();
    this.#taken = write;
    return write;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#underWay || !this.#state.hasPending) return;
    const done = this.#options.writer.write(this).then(
      (outcome) => this.#written(outcome),
      (error: unknown) => {
        if (error !== notNow) this.#thrown = { error };
      },
    );
    this.#underWay = done.then(() => {
      this.#underWay = undefined;
      if (this.#state.hasPending) this.#writeLater();
    });
  }

  /** More events are expected: what is folded goes with them, unless they don't come. */
  #writeLater(): void {
    if (this.#timer || this.#failure || this.#thrown || this.#isLost) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#failure && !this.#thrown) this.#write();
    }, this.#options.flushMilliseconds ?? 500);
  }

  #written(outcome: Outcome): void {
    if (outcome === "lost") this.#lose();
    else if (outcome !== "committed") this.#failure = outcome;
    else {
      this.#state.wrote();
      this.#takenBytes = 0;
      this.#weigh();
      this.#tell();
    }
  }

  #tell(): void {
    const { metrics, logger, layout, topic, partition } = this.#options;
    const { applied, parked, refusals } = this.#taken ?? { applied: 0, parked: [], refusals: [] };
    metrics?.count("tributary_applied_events_total", { projection: layout.name, topic, partition }, applied);
    for (const { offset, code, eventId } of parked) {
      logger.error({ ...this.#facts(), offset, code, eventId }, "an event could not be applied; its key is parked");
    }
    for (const { offset, code, eventId } of refusals) {
      logger.error({ ...this.#facts(), offset, code, eventId }, "an event of a parked key could not be applied");
    }
  }

  #tellParked(): void {
    const { metrics, layout, topic, partition } = this.#options;
    metrics?.set("tributary_parked_keys", { projection: layout.name, topic, partition }, this.#state.heldKeys);
  }

  /**
   * Writes all that is folded: nothing more comes for a while.
   * @param end an as-of's: what stands before it and was not given to the lane is left out, and the checkpoint passes it.
   */
  async rest(context: LaneContext, end = 0): Promise<void> {
    do {
      this.#state.pass(end);
      await this.#drain(context);
    } while (!this.#isLost && this.#state.next < end);
  }

  /** Waits for the statement under way, whose outcome no longer matters to this owner. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isLost = true;
    await this.#underWay;
    this.#inHand.set(this, 0);
    this.#heldHere.release(this.#place);
  }

  #facts() {
    const { layout, build, topic, partition } = this.#options;
    return { projection: layout.name, build: build.build, topic, partition };
  }

  #lose(): false {
    // A lane that was closed meanwhile lost what it had given back.
    if (this.#isLost) return false;
    this.#isLost = true;
    // As a rule the group takes the partition away next. No further event may come to notice by that it does not.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#options.onFailure?.(new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, this.#facts()));
    }, lostMilliseconds);
    this.#options.logger.warn(
      { ...this.#facts(), code: "TRIB_PROJECT_FENCE_LOST", epoch: this.#state.epoch },
      "another process has taken over this partition; nothing of the batch was written",
    );
    return false;
  }

  /** After doubt or refusal: reads where the build really is, and folds again from there what was folded before. */
  async #recover(failure: Failure, context: LaneContext): Promise<boolean> {
    const { patience, again, logger } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    logger.warn({ ...this.#facts(), code: failure.code, kind: failure.kind }, "a batch was not written as folded");
    const end = this.#state.next;
    if (!(await this.#takeAgain(context))) return false;
    let lost = false;
    await patience.until(
      "read events again",
      async () => {
        for await (const events of again(this.#state.next, end)) {
          for (let at = 0; at < events.length && !lost; at += carefulEvents) {
            lost = !(await this.#settle(events.slice(at, at + carefulEvents), context));
          }
          if (lost) return;
        }
      },
      context,
    );
    return !lost;
  }

  /** Raises the epoch, which waits for a statement in doubt, and starts from the checkpoint. @returns false when lost. */
  async #takeAgain(context: LaneContext): Promise<boolean> {
    const { pool, patience } = this.#options;
    const checkpoint: Checkpoint | undefined = await patience.until(
      "read the checkpoint again",
      () => takeAgain(pool, this.#place, this.#owner),
      context,
    );
    if (!checkpoint) return this.#lose();
    this.#state.reset(checkpoint);
    this.#takenBytes = 0;
    this.#weigh();
    return true;
  }

  /** Folds and writes events one batch at a time, nothing under way before or after. @returns false when lost. */
  async #settle(events: readonly LaneEvent[], context: LaneContext): Promise<boolean> {
    const { writer } = this.#options;
    try {
      await this.#fold(events, context);
    } catch (error) {
      this.#isCounting = false;
      if (!isFull(error) || events.length === 1) throw error;
      return (await this.#takeAgain(context)) && this.#settleHalves(events, context);
    }
    if (!this.#state.hasPending) return true;
    const outcome = await writer.write(this);
    if (outcome === "committed" || outcome === "lost") {
      this.#written(outcome);
      return outcome === "committed";
    }
    if (!(await this.#takeAgain(context))) return false;
    const left = events.filter(({ offset }) => offset >= this.#state.next);
    const [only] = left;
    if (outcome.kind !== "refused" || !only) return this.#settle(left, context);
    if (left.length === 1) {
      if (!this.#state.refuse(only.offset, outcome.code)) throw this.#wrong(outcome);
      return this.#settle(left, context);
    }
    return this.#settleHalves(left, context);
  }

  /** Halves in order, until the one event that is refused stands alone: its key is parked, all others flow. */
  async #settleHalves(events: readonly LaneEvent[], context: LaneContext): Promise<boolean> {
    const middle = Math.ceil(events.length / 2);
    return (
      (await this.#settle(events.slice(0, middle), context)) && (await this.#settle(events.slice(middle), context))
    );
  }

  #wrong(cause: unknown): TributaryError {
    return new TributaryError("TRIB_PROJECT_WRITE_FAILED", undefined, this.#facts(), { cause });
  }
}
