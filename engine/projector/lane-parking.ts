import { formatPosition } from "../log/position.js";
import { type Checkpoint, storableText } from "./checkpoint.js";
import type { LaneEvent } from "./events.js";
import { type ParkReason, refusedWith } from "./park-reason.js";
import type { Write } from "./statement.js";
import type { ParkedRow } from "./statement-parts.js";

/** An event's id as it can be stored; null when it has none. */
export const storableId = ({ eventId }: LaneEvent): string | null => (eventId === null ? null : storableText(eventId));

export const isHeld = ({ held }: Checkpoint, key: string): boolean => held.size > 0 && held.has(storableText(key));

/**
 * Which keys a lane holds back, and which events Postgres refused it: what of that is folded and not written yet, beside the
 * checkpoint, which has what is held.
 */
export class LaneParking {
  #parked: ParkedRow[] = [];
  /** Keys held before, and by what is folded no more, with where they were held. */
  readonly #released = new Map<string, number>();
  /** Events that Postgres refused, and those of them that are not written down yet. */
  #refused: ReadonlyMap<number, ParkReason> = new Map();
  readonly #found = new Map<number, ParkReason>();
  /** Of keys that are held already. */
  #refusals: ParkedRow[] = [];

  /** Keys parked by what is folded and not taken. */
  get parked(): readonly ParkedRow[] {
    return this.#parked;
  }

  /** Events that Postgres refused, by offset. */
  get refused(): ReadonlyMap<number, ParkReason> {
    return this.#refused;
  }

  /** Starts from a checkpoint just read. What was found refused and is not written down stays found. */
  reset({ refused }: Checkpoint): void {
    this.#refused = new Map([...refused, ...this.#found]);
    this.#begin();
  }

  #begin(): void {
    this.#parked = [];
    this.#refusals = [];
    this.#released.clear();
  }

  /** From now on this event holds its key instead of being folded. @returns false when it already did. */
  refuse(offset: number, code: string): boolean {
    if (this.#refused.has(offset)) return false;
    this.#found.set(offset, refusedWith(code));
    this.#refused = new Map([...this.#refused, ...this.#found]);
    return true;
  }

  /** Holds the event's key back from the event on. */
  park(checkpoint: Checkpoint, event: LaneEvent, why: ParkReason): void {
    const row = parkedRow(checkpoint, event, why);
    checkpoint.held.add(row.key);
    this.#parked.push(row);
    this.#refusals = this.#refusals.filter(({ offset }) => offset !== row.offset);
  }

  /** Notes that Postgres refused an event of a key that is held already. */
  noteRefused(checkpoint: Checkpoint, event: LaneEvent, why: ParkReason): void {
    this.#refusals.push(parkedRow(checkpoint, event, why));
  }

  /** @param offset where the key was held. */
  release({ held }: Checkpoint, key: string, offset: number): void {
    held.delete(key);
    const pending = this.#parked.findIndex((row) => row.key === key);
    if (pending >= 0) this.#parked.splice(pending, 1);
    else this.#released.set(key, offset);
  }

  /** One final action a row: a key that is held again where it was held is parked there once more. */
  #heldNoMore(): readonly string[] {
    if (this.#released.size === 0) return [];
    const parkedAt = new Map(this.#parked.map(({ key, offset }) => [key, offset]));
    return [...this.#released].filter(([key, offset]) => parkedAt.get(key) !== offset).map(([key]) => key);
  }

  /** Hands over what is to be written. */
  take(): Pick<Write, "parked" | "refusals" | "released"> {
    const parts = { parked: this.#parked, refusals: this.#refusals, released: this.#heldNoMore() };
    this.#begin();
    return parts;
  }

  /** What was taken last is written. */
  wrote(): void {
    this.#found.clear();
  }
}

function parkedRow({ positions }: Checkpoint, event: LaneEvent, { code, reason }: ParkReason): ParkedRow {
  return {
    offset: event.offset,
    key: storableText(event.key),
    position: storableText(formatPosition(event.position)),
    eventId: storableId(event),
    eventType: event.type ?? null,
    code,
    reason: storableText(reason),
    positions: positions.stored(),
  };
}
