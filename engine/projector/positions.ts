import { comparePositions, type EventPosition } from "../log/position.js";
import { TributaryError } from "../service/errors.js";

interface Highest {
  readonly offset: number;
  readonly index: number;
  readonly eventId: string | null;
}

/**
 * The highest journal position seen in one event partition, per journal partition. The publisher writes each journal
 * partition in order with repeated stretches and no gap, so what is not higher is a repetition (docs/publisher-proof.md).
 */
export class Positions {
  #journal: string | undefined;
  readonly #highest = new Map<number, Highest>();

  /** @param journal the journal this read model was built from, if it is known. */
  constructor(journal: string | null | undefined, stored: string) {
    this.#journal = journal ?? undefined;
    for (const [partition, [offset, index, eventId]] of Object.entries(
      JSON.parse(stored) as Record<string, [number, number, string | null]>,
    )) {
      this.#highest.set(Number(partition), { offset, index, eventId });
    }
  }

  get journal(): string | null {
    return this.#journal ?? null;
  }

  /**
   * Takes an event's position.
   * @returns false when it is a repetition.
   * @throws TRIB_PROJECT_JOURNAL_UNKNOWN; TRIB_PROJECT_POSITION_CONFLICT when another event had this position.
   */
  take(position: EventPosition, eventId: string | null): boolean {
    if (this.#journal !== position.journal) {
      if (this.#journal !== undefined) {
        throw new TributaryError("TRIB_PROJECT_JOURNAL_UNKNOWN", undefined, {
          partition: position.partition,
          offset: position.offset,
        });
      }
      this.#journal = position.journal;
    }
    const highest = this.#highest.get(position.partition);
    const order = highest ? comparePositions(position, highest) : 1;
    if (order > 0) {
      this.#highest.set(position.partition, { offset: position.offset, index: position.index, eventId });
      return true;
    }
    // An event that couldn't be decoded once, and can by now, is the same event.
    if (order === 0 && highest?.eventId !== eventId && highest?.eventId !== null && eventId !== null) {
      throw new TributaryError(
        "TRIB_PROJECT_POSITION_CONFLICT",
        `Two events claim index ${position.index} of offset ${position.offset} in journal partition ${position.partition}.`,
        { partition: position.partition, offset: position.offset },
      );
    }
    return false;
  }

  /** `{journal partition: [offset, index, event id]}` as the checkpoint keeps it. */
  stored(): string {
    const entries = [...this.#highest].map(([partition, { offset, index, eventId }]) => [
      partition,
      [offset, index, eventId],
    ]);
    return JSON.stringify(Object.fromEntries(entries));
  }
}
