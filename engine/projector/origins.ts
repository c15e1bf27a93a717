/** Where an event stands among those of its key, when its unit was translated again: in the place of what it replaces. */
export interface Origin {
  /** Journal partition and offset of the unit that was translated again. */
  readonly partition: number;
  readonly offset: number;
  /** From 1. */
  readonly generation: number;
}

/** What the order is made of. */
export interface Placed {
  /** Of the event's own journal entry. */
  readonly position: { readonly partition: number; readonly offset: number };
  /** Undefined for an event of a unit as it was received. */
  readonly origin: Origin | undefined;
  /** There where Postgres refused its rows: it takes nothing's place, and holds its key where it came. */
  readonly refused?: object | undefined;
}

const placeOf = ({ origin, position }: Placed) => origin ?? position;
const generationOf = ({ origin }: Placed) => origin?.generation ?? 0;

function sameUnit(one: Placed, other: Placed): boolean {
  const [left, right] = [placeOf(one), placeOf(other)];
  return left.partition === right.partition && left.offset === right.offset;
}

/**
 * The events of one key that stand, in the order of their origins, after one more. This is the one rule by which a read
 * model follows a translation made again; live lanes, rebuilds and as-ofs all apply it, and `projections verify` has it in
 * words of its own.
 *
 * Of one unit, the events of its highest generation stand on a key; a withdrawal is one of them. They take the place of
 * those they supersede. What the unit said nothing of before comes in where the unit stands in its journal partition:
 * before the first event of a later unit of that partition. Across journal partitions the order is the log's.
 *
 * An event that Postgres refused takes the place of nothing, nor do those after it of the same translation: they stand
 * where they came. What supersedes them goes where it would go without them.
 *
 * @param standing by this rule; not changed.
 * @returns `standing` itself when the event is superseded already.
 */
export function withEvent<Event extends Placed>(standing: readonly Event[], event: Event): readonly Event[] {
  if (!event.origin) return [...standing, event];
  const { partition, offset } = event.origin;
  const generation = generationOf(event);
  let at = -1;
  /** Generations of the unit of which Postgres refused something: from there on their events stand where they came. */
  const waiting = new Set(event.refused ? [generation] : []);
  const kept: Event[] = [];
  for (const other of standing) {
    if (!sameUnit(other, event)) {
      kept.push(other);
      continue;
    }
    const before = generationOf(other);
    if (before > generation) return standing;
    if (other.refused) waiting.add(before);
    if (before < generation) {
      // The first of those that go is where the new ones stand.
      if (at < 0 && !waiting.has(before)) at = kept.length;
      continue;
    }
    kept.push(other);
    // After those of its own entry.
    at = kept.length;
  }
  if (waiting.has(generation)) return [...standing, event];
  if (at < 0) {
    const later = kept.findIndex((other) => {
      const place = placeOf(other);
      return place.partition === partition && place.offset > offset;
    });
    at = later < 0 ? kept.length : later;
  }
  kept.splice(at, 0, event);
  return kept;
}
