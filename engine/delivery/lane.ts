import { randomUUID } from "node:crypto";
import type { IncomingRecord, LaneContext, LaneHandler, Log, Ownership } from "../log/log.js";
import { type LanePlace, storableText, takeOver } from "../projector/checkpoint.js";
import { type ReadingOptions, readContext } from "../projector/consumer-lane.js";
import type { Decisions } from "../projector/decisions.js";
import { type LaneEvent, readEvents } from "../projector/events.js";
import type { HeldKey } from "../projector/held-keys.js";
import { assertSameLog } from "../projector/last-record.js";
import type { HeldHere } from "../projector/parked-limit.js";
import type { RestingLane } from "../projector/parked-requests.js";
import type { Decoder, ProjectorLogger } from "../projector/ports.js";
import { Positions } from "../projector/positions.js";
import type { LaneRequest } from "../projector/requests.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import { type BackoffOptions, backoff } from "./answer.js";
import { type AttemptParts, attemptEntry, type Tried } from "./attempts.js";
import type { DeliveryStart } from "./definition.js";
import type { DeliveryLog } from "./delivery-log.js";
import { type Ending, type Entry, Queues, type Retry } from "./entry.js";
import type { Gate } from "./gate.js";
import { Line } from "./line.js";
import { concerns } from "./mapping.js";
import { beginAt, deliveredAt } from "./statement.js";
import { DeliveryWriter } from "./writer.js";

/** What the lanes of a delivering consumer in one process share. */
export interface DeliveryParts extends AttemptParts {
  readonly start: DeliveryStart;
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly decoder: Decoder;
  readonly gate: Gate;
  readonly decisions: Decisions | undefined;
  readonly deliveryLog: DeliveryLog | undefined;
  readonly owner: string;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics | undefined;
  readonly parkedLimit: number;
  readonly heldHere: HeldHere;
  /** Most events that are taken in beyond the checkpoint, to be delivered. */
  readonly window: number;
  readonly backoff?: BackoffOptions | undefined;
  /** Told when the lane can't go on outside of a batch: the process must exit. */
  readonly onFailure: (error: Error) => void;
}

/** What operators ask for: see `ParkedDeliveries`. */
export interface LaneOperations {
  open(): Promise<void>;
  attend(lane: RestingLane): Promise<void>;
}

/** Events that nothing is sent of take little room, and are bounded all the same. */
const passedOver = 50;
const untried = { attempts: 0, recorded: 0, opened: false, sent: false, firstAt: 0, timer: undefined };
/** How long a lane that is given back waits for attempts under way. */
const closeMilliseconds = 5_000;
/** A lane of which no attempt begins or ends for longer is stuck: an attempt takes no more than a quarter of it. */
const longestSilence = 60_000;
/** How often a lane that has no room looks for what operators ask. */
const lookMilliseconds = 1_000;

/**
 * One partition of a delivering consumer. Of every key one event is under way at a time, and the next is sent when the end
 * of the one before is written; keys do not wait for each other. The checkpoint passes an event when it and all before it
 * are done. Whatever crashes, what is sent again is the next event of its key, under the same id.
 */
export class DeliveryLane implements LaneHandler, RestingLane {
  readonly #parts: DeliveryParts;
  readonly #place: LanePlace;
  readonly #reading: ReadingOptions;
  readonly #operations: LaneOperations | undefined;
  readonly #isAsked: () => Promise<boolean>;
  #line = new Line(0, new Positions(null, "{}"));
  #writer: DeliveryWriter | undefined;
  #queues = new Queues();
  #held = new Set<string>();
  #retries = new Map<string, Retry>();
  /** Offsets beyond the checkpoint that were delivered before this lane opened. */
  #before: ReadonlySet<number> = new Set();
  #ready: Entry[] = [];
  #underWay = new Set<Promise<void>>();
  #room: (() => void) | undefined;
  #stopping = false;
  /** When an attempt began or ended last. */
  #activeAt = 0;
  #ended = new AbortController();
  readonly #pumpAgain = () => this.#pump();

  constructor(
    parts: DeliveryParts,
    place: LanePlace,
    operations: (lane: DeliveryLane) => LaneOperations | undefined = () => undefined,
    isAsked: () => Promise<boolean> = async () => true,
  ) {
    this.#parts = parts;
    this.#place = place;
    const { decoder, patience } = parts;
    this.#reading = { topic: place.topic, partition: place.partition, decoder, published: true, patience };
    this.#operations = operations(this);
    this.#isAsked = isAsked;
  }

  /** Takes the lane over. @returns the offset to read from. */
  async open(ownership?: Ownership): Promise<number> {
    const { pool, patience, start, log, owner } = this.#parts;
    const { topic, partition } = this.#place;
    const operations = this.#operations;
    if (operations) await patience.until("read what operators decided", () => operations.open(), ownership);
    if (start === "latest") {
      const mark = (await log.watermarks(topic)).find((one) => one.partition === partition);
      await patience.until("begin a partition", () => beginAt(pool, this.#place, mark?.high ?? 0), ownership);
    }
    const own = `${owner}/${randomUUID()}`;
    const taking = () => takeOver(pool, this.#place, own, ownership);
    const checkpoint = await patience.until("take over a partition", taking, ownership);
    const comparing = () => assertSameLog(log, this.#place, checkpoint);
    await patience.until("read the last record again", comparing, ownership);
    const looking = () => deliveredAt(pool, this.#place, { from: checkpoint.nextOffset });
    this.#before = await patience.until("look what is delivered", looking, ownership);
    this.#line = new Line(checkpoint.nextOffset, checkpoint.positions, checkpoint.lastRecord);
    this.#held = checkpoint.held;
    this.#writer = new DeliveryWriter(this.#parts, this.#place, own, checkpoint, {
      line: this.#line,
      heldKeys: () => this.#held.size,
      written: (keys) => this.#written(keys),
      lost: () => this.#stop(),
    });
    this.#tell();
    return checkpoint.nextOffset;
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    const { decisions } = this.#parts;
    const decided = decisions?.of(this.#place.topic, this.#place.partition);
    const reading = readContext(this.#reading, context, {
      decided: (offset) => decided?.has(offset) ?? false,
      attend: () => this.attend(),
    });
    for (const event of await readEvents(records, reading)) {
      if (event.offset < this.#line.end) continue;
      if (!(await this.#hasRoom(context))) return;
      this.#take(event);
    }
    this.#writer?.kick();
    this.#tell(context.highWatermark);
  }

  /** True while events wait to be delivered. */
  get isWaiting(): boolean {
    return !this.#stopping && this.#queues.size > 0;
  }

  /** True while it waits for a partner: for an answer, or for the time of the next attempt. Then no progress is no sign of death. */
  get isAlive(): boolean {
    if (!this.isWaiting) return false;
    return (
      Date.now() - this.#activeAt < longestSilence || this.#queues.heads().some(({ timer }) => timer !== undefined)
    );
  }

  /** Does what operators asked for. Never beside the taking in of events. */
  async attend(): Promise<void> {
    if (this.#stopping) return;
    await this.#operations?.attend(this);
    // What was decided may be about an event that waits for its next attempt.
    for (const entry of this.#queues.heads()) {
      if (entry.timer && this.#verdict(entry) !== undefined) this.#now(entry);
    }
  }

  async apart(work: (epoch: number) => Promise<void>): Promise<void> {
    const epoch = await this.#writer?.rest();
    if (epoch !== undefined && !this.#stopping) await work(epoch);
  }

  async close(): Promise<void> {
    this.#stopping = true;
    for (const entry of this.#queues.heads()) clearTimeout(entry.timer);
    this.#room?.();
    const late = setTimeout(() => this.#ended.abort(), Math.min(closeMilliseconds, this.#parts.sender.timeout));
    await Promise.all(this.#underWay);
    clearTimeout(late);
    await this.#writer?.close();
  }

  /** Waits until another event may be taken in. @returns false when the lane is lost. */
  async #hasRoom(context: Ownership): Promise<boolean> {
    const { window } = this.#parts;
    const isFull = () => this.#queues.size >= window || this.#line.length >= window * passedOver;
    while (!this.#stopping && context.isOwned()) {
      if (!isFull()) return true;
      this.#writer?.kick();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookMilliseconds);
        this.#room = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (isFull() && (await this.#isAsked())) await this.attend();
    }
    return false;
  }

  #take(event: LaneEvent): void {
    const key = storableText(event.key);
    const done = this.#held.has(key) || this.#before.has(event.offset) || !concerns(this.#parts.delivery, event);
    const place = this.#line.add(event, done);
    if (place) this.#queue({ event, key, ...place, ...untried, retry: undefined });
  }

  #queue(entry: Entry): void {
    if (this.#queues.push(entry)) this.#now(entry);
  }

  /** The first of its key is to be tried now. */
  #now(entry: Entry): void {
    clearTimeout(entry.timer);
    entry.timer = undefined;
    this.#ready.push(entry);
    this.#pump();
  }

  #pump(): void {
    const { gate } = this.#parts;
    while (!this.#stopping && this.#ready.length > 0 && gate.enter(this.#pumpAgain)) {
      const entry = this.#ready.shift() as Entry;
      const work: Promise<void> = this.#try(entry)
        .catch((error: Error) => {
          if (this.#stopping) return;
          this.#stop();
          this.#parts.onFailure(error);
        })
        .finally(() => {
          this.#underWay.delete(work);
          gate.leave();
        });
      this.#underWay.add(work);
    }
  }

  #verdict({ event }: Entry): "skip" | "park" | undefined {
    return this.#parts.decisions?.decisionAt(this.#place.topic, this.#place.partition, event.offset);
  }

  async #try(entry: Entry): Promise<void> {
    const { signal } = this.#ended;
    this.#activeAt = Date.now();
    const isOwned = () => !this.#stopping;
    const tried = await attemptEntry(entry, this.#parts, { verdict: this.#verdict(entry), signal, isOwned });
    this.#activeAt = Date.now();
    if (tried.ending) this.#end(entry, tried.ending);
    else if (!signal.aborted) this.#later(entry, tried);
  }

  #later(entry: Entry, { attempt, isFirstSent, row }: Extract<Tried, { ending: undefined }>): void {
    const { status, reason, afterMilliseconds } = attempt;
    const { gate, logger, metrics, consumer } = this.#parts;
    metrics?.count("tributary_delivery_retries_total", { consumer });
    if (status === 429 && afterMilliseconds !== undefined) gate.hold(afterMilliseconds);
    const milliseconds = backoff(entry.attempts, Math.random(), afterMilliseconds, this.#parts.backoff);
    // Each key tells less and less often what it waits for.
    const isTold = Number.isInteger(Math.log2(entry.attempts));
    if (isTold || isFirstSent) this.#writer?.note(row());
    if (isTold) {
      const told = { ...this.#facts(entry), status, reason, attempt: entry.attempts, milliseconds };
      logger.warn(told, "a delivery waits for its next attempt");
    }
    if (!this.#stopping) entry.timer = setTimeout(() => this.#now(entry), milliseconds);
    this.#tell();
  }

  /** An entry came to its end: it stays the first of its key until that is written. */
  #end(entry: Entry, ending: Ending): void {
    const { metrics, consumer, logger } = this.#parts;
    const outcome = ending.kind === "passed" ? ending.why : ending.kind;
    metrics?.count("tributary_deliveries_total", { consumer, outcome });
    entry.finish();
    if (ending.kind === "parked") {
      this.#held.add(entry.key);
      for (const behind of this.#queues.dropBehind(entry.key)) behind.finish();
      const { code, reason } = ending.reason;
      logger.error({ ...this.#facts(entry), code, reason }, "an event could not be delivered; its key is parked");
    }
    this.#endRetry(entry, ending);
    this.#writer?.add(entry, ending);
  }

  #endRetry({ retry, key, event }: Entry, ending: Ending): void {
    if (!retry) return;
    if (ending.kind === "delivered") retry.delivered++;
    retry.left--;
    const again =
      ending.kind === "parked" ? `${this.#place.topic}/${this.#place.partition}/${event.offset}` : undefined;
    if (again === undefined && retry.left > 0) return;
    this.#retries.delete(key);
    this.#answer(retry, ending.kind === "parked" ? `; parked again at ${again}: ${ending.reason.code}` : "");
  }

  #answer(retry: Retry, again: string): void {
    const done = `${retry.delivered} events delivered${again}`;
    const outcomes = new Map(
      retry.requests.map(({ id, action }) => [id, action === "skip" ? `skipped; ${done}` : done]),
    );
    this.#writer?.release(retry.heldAt, outcomes);
  }

  /** The ends of these keys' first entries are written: the next ones may go. */
  #written(keys: readonly string[]): void {
    for (const key of keys) {
      const next = this.#queues.shift(key);
      if (next) this.#now(next);
    }
    this.#room?.();
    this.#tell();
  }

  /** Whether a key is being delivered again already. Further requests about it are answered with the first ones. */
  retrying(held: HeldKey, requests: readonly LaneRequest[]): boolean {
    const retry = this.#retries.get(held.key);
    const known = new Set(retry?.requests.map(({ id }) => id));
    retry?.requests.push(...requests.filter(({ id }) => !known.has(id)));
    return retry !== undefined;
  }

  /**
   * Delivers a held key again, from the event it is held at: what waits behind it follows in order, and what comes later
   * after that. Never beside the taking in of events.
   */
  async deliverAgain(held: HeldKey, requests: readonly LaneRequest[]): Promise<void> {
    const { log, pool, decisions } = this.#parts;
    const { topic, partition } = this.#place;
    const decided = decisions?.of(topic, partition);
    const reading = readContext(this.#reading, undefined, {
      decided: (offset) => decided?.has(offset) ?? false,
      attend: async () => {},
    });
    const positions = new Positions(null, "{}");
    const waiting: { event: LaneEvent; positions: string }[] = [];
    for await (const records of log.read(topic, partition, held.offset, this.#line.end)) {
      const own = records.filter(({ key }) => storableText(key) === held.key);
      for (const event of await readEvents(own, reading)) {
        const isNew = positions.take(event.position, event.eventId);
        if (isNew && concerns(this.#parts.delivery, event)) waiting.push({ event, positions: positions.stored() });
      }
    }
    // An owner before may have come so far.
    const among = waiting.map(({ event }) => event.offset);
    const before = await deliveredAt(pool, this.#place, { among });
    const found = waiting.filter(({ event }) => !before.has(event.offset));
    if (this.#stopping) return;
    const retry: Retry = { heldAt: held.offset, requests: [...requests], delivered: 0, left: found.length };
    this.#held.delete(held.key);
    if (found.length === 0) {
      this.#answer(retry, "");
      return;
    }
    this.#retries.set(held.key, retry);
    for (const { event, positions: seen } of found) {
      this.#queue({ event, key: held.key, ...untried, retry, finish: () => {}, positions: () => seen });
    }
  }

  #stop(): void {
    this.#stopping = true;
    this.#ended.abort();
    this.#room?.();
  }

  #facts({ event }: Entry) {
    const { topic, partition } = this.#place;
    return { consumer: this.#parts.consumer, topic, partition, offset: event.offset, eventId: event.eventId };
  }

  #tell(highWatermark?: number): void {
    const { metrics, consumer } = this.#parts;
    const { topic, partition } = this.#place;
    if (!metrics) return;
    const first = this.#line.first;
    const seconds = first ? Math.max(0, (Date.now() - first.position.recordedAt) / 1000) : 0;
    metrics.set("tributary_delivery_oldest_seconds", { consumer, topic, partition }, seconds);
    metrics.set("tributary_parked_keys", { projection: consumer, topic, partition }, this.#held.size);
    if (highWatermark !== undefined) {
      const lag = Math.max(0, highWatermark - this.#line.next);
      metrics.set("tributary_lag_events", { projection: consumer, topic, partition }, lag);
    }
  }
}
