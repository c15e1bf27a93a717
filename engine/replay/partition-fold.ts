import { setImmediate as turn } from "node:timers/promises";
import type { Log } from "../log/log.js";
import { Absence } from "../projector/absence.js";
import type { Checkpoint } from "../projector/checkpoint.js";
import { readContext, readingAgain } from "../projector/consumer-lane.js";
import type { LaneDecisions } from "../projector/decisions.js";
import { type EventSelection, readEvents } from "../projector/events.js";
import type { FoldWatch } from "../projector/fold-watch.js";
import { LaneState } from "../projector/lane-state.js";
import type { ProjectionLayout } from "../projector/layout.js";
import type { Patience } from "../projector/patience.js";
import type { Decoder, Opener } from "../projector/ports.js";
import { RowSizes } from "../projector/row-sizes.js";
import type { Write } from "../projector/statement.js";
import type { MemoryBudget } from "./memory.js";
import type { Pace } from "./pace.js";

export interface PartitionFoldOptions {
  readonly layout: ProjectionLayout;
  readonly topic: string;
  readonly partition: number;
  readonly log: Pick<Log, "read">;
  readonly decoder: Decoder;
  readonly opener: Opener;
  readonly published: boolean;
  readonly patience: Patience;
  readonly decisions: LaneDecisions;
  readonly watch?: FoldWatch;
  /** Of an as-of; default all events. */
  readonly selection?: EventSelection | undefined;
  readonly budget: MemoryBudget;
  readonly pace: Pace;
  readonly signal?: AbortSignal;
  /** Told how many events were read. */
  readonly progress: (events: number) => void;
}

/** Part of the budget after which rows that never change are handed over. */
const handOverPart = 4;
/** Stretches of events between turns of the event loop, in which others' rows are sent and fetches arrive. */
const stretchesPerTurn = 4;

/** Kept of keys that are told again further on: a thread folds one partition at a time. */
const historyBytes = 32 * 1024 * 1024;

/** There is nothing to ask for: the tables have no row of the partition. */
const nothing = { fill: async () => {} };

/** Folds a partition in memory from where its checkpoint stands, exactly as a lane does, without writing. */
export class PartitionFold {
  readonly #options: PartitionFoldOptions;
  readonly #state: LaneState;
  readonly #sizes: RowSizes;

  constructor(options: PartitionFoldOptions, checkpoint: Checkpoint) {
    this.#options = options;
    this.#sizes = new RowSizes(options.layout);
    const { log, decisions } = options;
    const { history } = readingAgain(log, options, decisions, historyBytes);
    this.#state = new LaneState({ ...options, history, loader: nothing, cacheRows: () => Number.POSITIVE_INFINITY });
    this.#state.reset(checkpoint);
    this.#state.beginEmpty({ meet: () => true });
  }

  /** Offset after the last event folded. */
  get next(): number {
    return this.#state.next;
  }

  get heldKeys(): number {
    return this.#state.heldKeys;
  }

  /** Knows the keys met so far, for the lane that goes on. */
  absence(): Absence {
    const absence = new Absence();
    for (const key of this.#state.keys()) absence.meet(key);
    return absence;
  }

  /**
   * Folds up to an offset, or until memory is full.
   * @param handOver is given what is folded when rows that never change have come together; without it they stay.
   * @returns false when it stopped for want of memory.
   */
  async until(end: number, handOver?: (folded: Write) => Promise<void>): Promise<boolean> {
    const { topic, partition, log, patience, budget, pace, signal, progress, decisions } = this.#options;
    const state = this.#state;
    const operators = { decided: (offset: number) => decisions.has(offset), attend: async () => {} };
    const context = readContext(this.#options, undefined, operators);
    let stretches = 0;
    for await (const records of log.read(topic, partition, state.next, end)) {
      signal?.throwIfAborted();
      const events = await readEvents(records, context);
      await patience.until("open sealed content", () => state.fold(events));
      progress(records.length);
      await pace.did(records.length, signal);
      if (++stretches % stretchesPerTurn === 0) await turn();
      const bytes = this.#sizes.estimate(state.changes, state.entities);
      budget.set(this, bytes);
      if (handOver) {
        if (bytes < budget.limit / handOverPart) continue;
        await handOver(this.take());
        budget.release(this);
      } else while (budget.isFull) if (!(await budget.others(this))) return false;
    }
    // What an as-of leaves out is passed: so its checkpoint says that nothing is missing.
    if (this.#options.selection) state.pass(end);
    return true;
  }

  /** All that is folded and was not taken. */
  take(): Write {
    const folded = this.#state.take();
    this.#state.wrote();
    return folded;
  }

  get hasPending(): boolean {
    return this.#state.hasPending;
  }
}
