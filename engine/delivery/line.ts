import type { LaneEvent } from "../projector/events.js";
import { Positions } from "../projector/positions.js";

/** An event in the line of its partition. */
interface Place {
  readonly event: LaneEvent;
  /** Whether nothing is to be done about it any more. */
  done: boolean;
}

/** Where a checkpoint may move to, with what it keeps. */
export interface Passed {
  readonly next: number;
  readonly journal: string | null;
  readonly positions: string;
  /** Fingerprint of the record before `next`; null where it is not known. */
  readonly lastRecord: string | null;
  /** Latest recorded time among what is passed; null when nothing is. */
  readonly recordedAt: number | null;
}

/**
 * The events of a partition from the checkpoint on, in order. Deliveries of several keys end in any order; the checkpoint
 * only passes an event when all before it are done.
 */
export class Line {
  readonly #places: Place[] = [];
  /** Of what is read, and of what is passed. */
  readonly #read: Positions;
  readonly #passed: Positions;
  #next: number;
  #lastRecord: string | null;
  #end: number;

  /** @param positions as the checkpoint has them. @param lastRecord likewise. */
  constructor(next: number, positions: Positions, lastRecord: string | null = null) {
    this.#next = next;
    this.#lastRecord = lastRecord;
    this.#end = next;
    this.#read = new Positions(positions.journal, positions.stored());
    this.#passed = new Positions(positions.journal, positions.stored());
  }

  /** Offset after the last event taken in. */
  get end(): number {
    return this.#end;
  }

  /** Offset that the checkpoint may move to, as it was told last. */
  get next(): number {
    return this.#next;
  }

  get length(): number {
    return this.#places.length;
  }

  /** The first event that is not done. */
  get first(): LaneEvent | undefined {
    return this.#places.find(({ done }) => !done)?.event;
  }

  /** Whether something is done that `pass` has not told. */
  get moves(): boolean {
    return this.#places[0]?.done ?? false;
  }

  /**
   * Takes an event in.
   * @returns whether it is new; undefined for a repetition, which is done. With the positions seen up to it, it included.
   * @throws TRIB_PROJECT_JOURNAL_UNKNOWN, TRIB_PROJECT_POSITION_CONFLICT
   */
  add(event: LaneEvent, done: boolean): { readonly finish: () => void; readonly positions: () => string } | undefined {
    const isNew = this.#read.take(event.position, event.eventId);
    const place: Place = { event, done: done || !isNew };
    this.#places.push(place);
    this.#end = event.offset + 1;
    if (place.done) return undefined;
    const positions = this.#read.stored();
    return {
      finish: () => {
        place.done = true;
      },
      positions: () => positions,
    };
  }

  /** What was passed last. */
  get standing(): Omit<Passed, "recordedAt"> {
    return {
      next: this.#next,
      journal: this.#passed.journal,
      positions: this.#passed.stored(),
      lastRecord: this.#lastRecord,
    };
  }

  /** Passes what is done from the beginning. */
  pass(): Passed {
    let passed = 0;
    let recordedAt: number | null = null;
    for (const { event, done } of this.#places) {
      if (!done) break;
      passed++;
      this.#next = event.offset + 1;
      this.#lastRecord = event.fingerprint ?? null;
      if (this.#passed.take(event.position, event.eventId))
        recordedAt = Math.max(recordedAt ?? 0, event.position.recordedAt);
    }
    this.#places.splice(0, passed);
    return { ...this.standing, recordedAt };
  }
}
