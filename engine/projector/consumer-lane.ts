import type { IncomingRecord, LaneContext, LaneHandler, Log, Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { type LaneDecisions, noDecisions } from "./decisions.js";
import { type EventSelection, type LaneEvent, type ReadContext, readEvents, readEventsOf } from "./events.js";
import { type KeyHistory, keyHistory } from "./key-history.js";
import type { ProjectionLane } from "./lane.js";
import type { LaneOptions } from "./lane-options.js";
import { assertSameLog } from "./last-record.js";
import type { Patience } from "./patience.js";
import type { Decoder } from "./ports.js";

export interface ReadingOptions {
  readonly topic: string;
  readonly partition: number;
  readonly decoder: Decoder;
  readonly published: boolean;
  readonly patience: Patience;
  /** Of an as-of; default all events. */
  readonly selection?: EventSelection | undefined;
  /** Attempts to learn an unknown schema before the process stops; default 30. */
  readonly schemaAttempts?: number;
}

/** The place is what an operator needs to decide about the event. */
const schemaUnknown = (place: { topic: string; partition: number; offset: number }, cause: unknown) =>
  new TributaryError(
    "TRIB_PROJECT_SCHEMA_UNKNOWN",
    `The schema of the event at ${place.topic}/${place.partition}/${place.offset} is unknown.`,
    place,
    { cause },
  );

/** How the records of a partition become events: an unknown schema is waited for, then stops the process. */
export function readContext(
  options: ReadingOptions,
  lane?: LaneContext,
  operators?: { readonly decided: (offset: number) => boolean; readonly attend: () => Promise<void> },
): ReadContext {
  const { topic, partition, published, decoder, patience, selection, schemaAttempts = 30 } = options;
  return {
    topic,
    partition,
    published,
    decoder,
    selection,
    ...(operators ? { decided: operators.decided } : {}),
    wait: async (error, attempt, offset) => {
      if (attempt >= schemaAttempts) throw schemaUnknown({ topic, partition, offset }, error);
      await operators?.attend();
      await patience.wait("learn a schema", error, attempt, lane);
    },
  };
}

/**
 * How one lane reads its partition again: under what operators decided for its projection, whatever others share it.
 * @param historyBytes as {@link keyHistory} takes them.
 */
export function readingAgain(
  log: Pick<Log, "read">,
  options: ReadingOptions,
  decisions: LaneDecisions = noDecisions,
  historyBytes?: number,
): Pick<LaneOptions, "again" | "assertSameLog"> & { readonly history: KeyHistory } {
  const { topic, partition } = options;
  const decided = (offset: number) => decisions.has(offset);
  const context = readContext(options, undefined, { decided, attend: async () => {} });
  return {
    again: (from, to) => readEventsOf(log.read(topic, partition, from, to), context),
    assertSameLog: (checkpoint) => assertSameLog(log, options, checkpoint),
    history: keyHistory(log, context, historyBytes),
  };
}

export interface ConsumerLaneOptions extends ReadingOptions {
  /** One a build that is fed from this topic. */
  readonly lanes: readonly ProjectionLane[];
  /** Reads the partition again, for a lane that comes later; offsets from `from` up to `to`. */
  readonly again?: (from: number, to: number) => AsyncIterable<readonly IncomingRecord[]>;
  /** Where the partition ends: with no lane yet, those that come read again up to there. */
  readonly end?: () => Promise<number>;
  /** Whether the build of a lane that failed is fed here no more: then it is left, and the others go on. */
  readonly isGone?: (lane: ProjectionLane) => Promise<boolean>;
}

/** A partition as a consumer has it: read and decoded once, folded into every build behind its own fence. */
export class ConsumerLane implements LaneHandler {
  readonly #options: ConsumerLaneOptions;
  #lanes: readonly ProjectionLane[];
  /** Offset after the last record handed to the lanes. */
  #next = 0;

  constructor(options: ConsumerLaneOptions) {
    this.#options = options;
    this.#lanes = options.lanes;
  }

  /** Reads from the least checkpoint; a build that is further skips what it has. Without any build, from the end. */
  async open(ownership?: Ownership): Promise<number> {
    const { end, patience } = this.#options;
    if (end && this.#lanes.length === 0) {
      this.#next = await patience.until("look where the log ends", end, ownership);
      return this.#next;
    }
    this.#next = Math.min(...(await Promise.all(this.#lanes.map((lane) => lane.open(ownership)))));
    return this.#next;
  }

  /** Takes a lane in whose build is fed from now on, once it has what the others have. Never beside a batch. */
  async add(lane: ProjectionLane): Promise<void> {
    const { again, patience } = this.#options;
    let from = await lane.open();
    const to = this.#next;
    const context = { highWatermark: to, isOwned: () => true, heartbeat: async () => {}, seek: () => {} };
    const reading = readContext(this.#options, undefined, {
      decided: (offset) => lane.needsNo(offset),
      attend: () => lane.attend(),
    });
    await patience.until("read events again", async () => {
      if (!again || from >= to) return;
      for await (const records of again(from, to)) {
        await lane.batch(await readEvents(records, reading), context);
        from = (records.at(-1)?.offset ?? from - 1) + 1;
      }
    });
    this.#lanes = [...this.#lanes, lane];
  }

  /** Lets a lane go. Never beside a batch. */
  async remove(lane: ProjectionLane): Promise<void> {
    this.#lanes = this.#lanes.filter((one) => one !== lane);
    await lane.close();
  }

  /** Does what operators asked for. Never beside a batch. */
  async attend(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.attend()));
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    const lanes = this.#lanes;
    const decided = (offset: number) => lanes.every((lane) => lane.needsNo(offset));
    const reading = readContext(this.#options, context, { decided, attend: () => this.attend() });
    let events: readonly LaneEvent[];
    try {
      events = await readEvents(records, reading);
    } catch (error) {
      // What a lane waited for when its partition was taken from it is waited for by the next owner.
      if (context.isOwned()) throw error;
      return;
    }
    const results = await Promise.allSettled(lanes.map((lane) => lane.batch(events, context)));
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      const lane = lanes[index] as ProjectionLane;
      if (!(await this.#options.isGone?.(lane))) throw result.reason;
      await this.remove(lane);
    }
    this.#next = (records.at(-1)?.offset ?? this.#next - 1) + 1;
  }

  /** Writes all that is folded: see {@link ProjectionLane.rest}. Never beside a batch. */
  async rest(context: LaneContext, end?: number): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.rest(context, end)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}
