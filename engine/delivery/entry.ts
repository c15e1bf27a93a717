import type { LaneEvent } from "../projector/events.js";
import type { ParkReason } from "../projector/park-reason.js";
import type { DeliveryRow } from "./statement.js";

/** A key that is delivered again because an operator asked for it: from the event it was held at, up to where the lane was. */
export interface Retry {
  /** Offset of the event that the key was held at. */
  readonly heldAt: number;
  /** Ids of the requests that are answered when it ends. */
  readonly requests: { readonly id: number; readonly action: string; readonly offset: number }[];
  delivered: number;
  left: number;
}

/** An event that waits for its turn to be delivered, is being delivered, or came to its end. */
export interface Entry {
  readonly event: LaneEvent;
  /** As `storableText` writes it. */
  readonly key: string;
  /** Highest journal positions seen up to the event. */
  readonly positions: () => string;
  /** Tells the line that the event is done; an event delivered again is in no line. */
  readonly finish: () => void;
  readonly retry: Retry | undefined;
  attempts: number;
  /** Those of them that are recorded. */
  recorded: number;
  /** Whether content that identifies people was opened for any of them. */
  opened: boolean;
  /** Whether the partner may have been sent it by any of them. */
  sent: boolean;
  /** Time of the first attempt, epoch milliseconds. */
  firstAt: number;
  timer: NodeJS.Timeout | undefined;
}

/** How an entry ended. */
export type Ending =
  | { readonly kind: "delivered"; readonly row: DeliveryRow }
  /** Sent nothing: `map` gave nothing, or an operator skipped it. */
  | { readonly kind: "passed"; readonly why: "nothing" | "skipped" }
  | { readonly kind: "parked"; readonly reason: ParkReason; readonly row: DeliveryRow | undefined };

/** Entries by key, each key in its order: only the first of a key may be sent. */
export class Queues {
  readonly #keys = new Map<string, Entry[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns whether it is the first of its key. */
  push(entry: Entry): boolean {
    const queue = this.#keys.get(entry.key);
    this.#size++;
    if (queue) return queue.push(entry) === 1;
    this.#keys.set(entry.key, [entry]);
    return true;
  }

  /** Takes the first of a key away. @returns the next one. */
  shift(key: string): Entry | undefined {
    const queue = this.#keys.get(key);
    if (!queue) return undefined;
    if (queue.shift()) this.#size--;
    if (queue.length === 0) this.#keys.delete(key);
    return queue[0];
  }

  /** Takes all but the first of a key away: they wait in the log. */
  dropBehind(key: string): readonly Entry[] {
    const dropped = this.#keys.get(key)?.splice(1) ?? [];
    this.#size -= dropped.length;
    return dropped;
  }

  heads(): readonly Entry[] {
    return [...this.#keys.values()].flatMap(([first]) => (first ? [first] : []));
  }
}
