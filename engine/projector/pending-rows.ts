/** A row that one event made. */
interface RowOfEvent {
  readonly offset: number;
}

/** Where the appended rows of each event stand among those of their table that wait to be written. */
export class PendingRows<Row extends RowOfEvent> {
  readonly #rows: Row[];
  readonly #places = new Map<number, number[]>();
  #indexed = 0;

  /** @param rows may grow; only this takes any of them out. */
  constructor(rows: Row[]) {
    this.#rows = rows;
  }

  /** Takes the rows of an event out, in no more steps than it has rows: the last ones take their places. @returns whether there were any. */
  take(offset: number): boolean {
    for (; this.#indexed < this.#rows.length; this.#indexed++) this.#note(this.#indexed);
    const places = this.#places.get(offset);
    if (!places) return false;
    this.#places.delete(offset);
    // From the end, so that what moves is never of this event.
    for (const place of places.sort((left, right) => right - left)) {
      const last = this.#rows.length - 1;
      const moved = this.#rows.pop() as Row;
      if (place === last) continue;
      this.#rows[place] = moved;
      const others = this.#places.get(moved.offset) as number[];
      others[others.indexOf(last)] = place;
    }
    this.#indexed = this.#rows.length;
    return true;
  }

  #note(place: number): void {
    const { offset } = this.#rows[place] as Row;
    const places = this.#places.get(offset);
    if (places) places.push(place);
    else this.#places.set(offset, [place]);
  }
}
