import { formatPosition } from "../log/position.js";
import { type Checkpoint, type LanePlace, storableText, takeAgain } from "../projector/checkpoint.js";
import { failureOf } from "../projector/failure.js";
import { assertRoomForParked, type HeldHere } from "../projector/parked-limit.js";
import type { Patience } from "../projector/patience.js";
import type { ProjectorLogger } from "../projector/ports.js";
import type { ParkedRow } from "../projector/statement-parts.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type DeliveryLog, deliveryBatch } from "./delivery-log.js";
import type { Ending, Entry } from "./entry.js";
import type { Line } from "./line.js";
import { type DeliveryRow, type DeliveryWrite, writeDeliveries } from "./statement.js";

export interface WriterParts {
  readonly pool: Pool;
  readonly patience: Patience;
  readonly logger: ProjectorLogger;
  readonly parkedLimit: number;
  /** Where deliveries are recorded before they are written; without it they are in the database alone. */
  readonly deliveryLog?: DeliveryLog | undefined;
  /** Keys that the consumer's lanes of this process hold back. */
  readonly heldHere: HeldHere;
  /** Told when the lane can't go on: the process must exit. */
  readonly onFailure: (error: Error) => void;
}

export interface WriterLane {
  readonly line: Line;
  heldKeys(): number;
  /** The ends of the first entries of these keys are written. */
  written(keys: readonly string[]): void;
  /** Another owner has the lane: nothing more is to be sent. */
  lost(): void;
}

/** A lane that another owner took while the group still gives it to us is an error only when it lasts this long. */
const lostMilliseconds = 30_000;

interface Pending {
  keys: string[];
  /** By event. */
  deliveries: Map<string, DeliveryRow>;
  parked: ParkedRow[];
  released: number[];
  outcomes: Map<number, string>;
}

const nothing = (): Pending => ({ keys: [], deliveries: new Map(), parked: [], released: [], outcomes: new Map() });

/** Writes what came of a lane's deliveries behind its fence: all that ended since the last statement in one, one at a time. */
export class DeliveryWriter {
  readonly #parts: WriterParts;
  readonly #place: LanePlace;
  readonly #owner: string;
  readonly #lane: WriterLane;
  #pending = nothing();
  #epoch: number;
  /** Where the checkpoint stands. */
  #first: number;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost = false;
  #closed = false;

  constructor(parts: WriterParts, place: LanePlace, owner: string, checkpoint: Checkpoint, lane: WriterLane) {
    this.#parts = parts;
    this.#place = place;
    this.#owner = owner;
    this.#lane = lane;
    this.#epoch = checkpoint.epoch;
    this.#first = checkpoint.nextOffset;
  }

  /** To be written: how an entry ended. */
  add({ event, key, positions }: Entry, ending: Ending): void {
    const { keys, parked } = this.#pending;
    keys.push(key);
    if (ending.kind !== "passed" && ending.row) this.#tell(ending.row);
    if (ending.kind === "parked")
      parked.push({
        offset: event.offset,
        key,
        position: storableText(formatPosition(event.position)),
        eventId: event.eventId === null ? null : storableText(event.eventId),
        eventType: event.type ?? null,
        code: ending.reason.code,
        reason: storableText(ending.reason.reason),
        positions: positions(),
      });
    this.kick();
  }

  /** To be written: what was sent and is to be sent again. */
  note(row: DeliveryRow): void {
    this.#tell(row);
    this.kick();
  }

  /** A statement tells of an event once. */
  #tell(row: DeliveryRow): void {
    const { deliveries } = this.#pending;
    const before = deliveries.get(row.eventId);
    const attempts = row.attempts + (before?.attempts ?? 0);
    deliveries.set(row.eventId, { ...row, attempts, firstAt: before?.firstAt ?? row.firstAt });
  }

  /** To be written: that a key is held at this offset no more, and what is answered to who asked for it. */
  release(offset: number, outcomes: ReadonlyMap<number, string>): void {
    this.#pending.released.push(offset);
    for (const [id, outcome] of outcomes) this.#pending.outcomes.set(id, outcome);
    this.kick();
  }

  /** Something may be there to be written. */
  kick(): void {
    if (this.#running || this.#lost) return;
    // What ends in the same turn goes along.
    this.#running = Promise.resolve()
      .then(() => this.#writeAll())
      .catch((error: Error) => {
        this.#lose(false);
        if (!this.#closed) this.#parts.onFailure(error);
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#hasPending) this.kick();
      });
  }

  /** Waits until nothing is under way. @returns the epoch, undefined when the lane is lost. */
  async rest(): Promise<number | undefined> {
    while (this.#running) await this.#running;
    return this.#lost ? undefined : this.#epoch;
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.kick();
    await this.rest();
    this.#lost = true;
    this.#parts.heldHere.release(this.#place);
    clearTimeout(this.#timer);
  }

  get #hasPending(): boolean {
    const { keys, released, deliveries } = this.#pending;
    const isTold = keys.length > 0 || released.length > 0 || deliveries.size > 0;
    return !this.#lost && (isTold || this.#lane.line.moves);
  }

  async #writeAll(): Promise<void> {
    while (this.#hasPending) {
      const { keys, ...all } = this.#pending;
      const pending = { ...all, deliveries: [...all.deliveries.values()] };
      this.#pending = nothing();
      // At once: what ends from here on is in the next statement, and is passed by that.
      const standing = this.#standing;
      const passed = this.#lane.line.pass();
      const stays = new Set(pending.parked.map(({ offset }) => offset));
      const full = await this.#beyondLimit(pending.parked);
      // What was delivered is recorded before the lane stops at what has no room to be parked.
      const parts = full
        ? { ...pending, parked: [], released: [], outcomes: new Map(), ...standing }
        : { ...pending, released: pending.released.filter((offset) => !stays.has(offset)), ...passed };
      await this.#record(pending.deliveries);
      if (!(await this.#write(parts))) return;
      if (full) throw full;
      this.#lane.written(keys);
    }
  }

  /**
   * Before the statement: so nothing is in the database that the log does not tell, whenever this process ends. What it
   * tells was sent, also by an owner that writes nothing any more.
   */
  async #record(deliveries: readonly DeliveryRow[]): Promise<void> {
    const { deliveryLog, patience } = this.#parts;
    if (!deliveryLog || deliveries.length === 0) return;
    const { build, topic, partition } = this.#place;
    const batch = deliveryBatch({ consumer: build.projection, topic, partition, deliveries });
    await patience.until("record deliveries", () => deliveryLog.append(batch));
  }

  get #standing() {
    return { ...this.#lane.line.standing, recordedAt: null };
  }

  async #beyondLimit(parked: readonly ParkedRow[]): Promise<TributaryError | undefined> {
    const { pool, patience, parkedLimit: limit, heldHere } = this.#parts;
    if (parked.length === 0) return undefined;
    heldHere.set(this.#place, this.#lane.heldKeys());
    const asked = { pool, limit, place: this.#place, heldHere, parked };
    try {
      await patience.until("count parked keys", () => assertRoomForParked(asked));
      return undefined;
    } catch (error) {
      if (error instanceof TributaryError && error.code === "TRIB_PROJECT_TOO_MANY_PARKED") return error;
      throw error;
    }
  }

  /** @returns false when the lane is lost. */
  async #write(parts: Omit<DeliveryWrite, "epoch" | "first">): Promise<boolean> {
    const { pool, patience } = this.#parts;
    for (let attempt = 0; !this.#lost; attempt++) {
      let isWritten: boolean;
      try {
        isWritten = await writeDeliveries(pool, this.#place, { ...parts, epoch: this.#epoch, first: this.#first });
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind !== "again" && kind !== "doubt") throw this.#wrong(error);
        // Written or not, the same statement again changes nothing more.
        await patience.wait("write deliveries", error, attempt);
        const again = () => takeAgain(pool, this.#place, this.#owner);
        const checkpoint = await patience.until("read the checkpoint again", again);
        if (!checkpoint) return this.#lose();
        this.#epoch = checkpoint.epoch;
        this.#first = checkpoint.nextOffset;
        continue;
      }
      if (!isWritten) return this.#lose();
      this.#first = parts.next;
      return true;
    }
    return false;
  }

  #wrong(cause: unknown): TributaryError {
    return new TributaryError("TRIB_PROJECT_WRITE_FAILED", undefined, this.#facts(), { cause });
  }

  #facts() {
    const { build, topic, partition } = this.#place;
    return { projection: build.projection, topic, partition };
  }

  /** As a rule the group takes the partition away next; when it doesn't, the process must not go on in vain. */
  #lose(isTold = true): false {
    if (this.#lost) return false;
    this.#lost = true;
    this.#lane.lost();
    if (!isTold || this.#closed) return false;
    const { logger, onFailure } = this.#parts;
    logger.warn(
      { ...this.#facts(), code: "TRIB_PROJECT_FENCE_LOST", epoch: this.#epoch },
      "another process has taken over this partition; what was delivered meanwhile may be delivered again",
    );
    this.#timer = setTimeout(
      () => onFailure(new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, this.#facts())),
      lostMilliseconds,
    );
    return false;
  }
}
