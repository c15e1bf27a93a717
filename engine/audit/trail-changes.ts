import type { AnyProjection } from "../projector/definition.js";
import type { PureInput } from "../projector/pure.js";
import { type KeyLife, lifeOf, type PlacedEvent } from "./placed-event.js";
import { placeName } from "./read-places.js";
import { ChangeTeller, type FoldedChanges, type Handling } from "./row-changes.js";
import type { OrderedEvent } from "./trail-order.js";

export interface ChangesSource {
  readonly projections: readonly AnyProjection[];
  /** Whether columns that identify a person are told too. */
  readonly showsRestricted: boolean;
  readonly handling: (projection: string) => Handling;
  /** All keys of the trail. */
  readonly lives: readonly KeyLife[];
  /** Places of events that Postgres refused in the builds as they are now, by read model. */
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>;
  /** One order of all that stands, and of what that superseded. */
  readonly inOrder: (lives: readonly KeyLife[]) => readonly OrderedEvent[];
  /** What a fold is given; undefined for what isn't told. */
  readonly inputOf: (event: PlacedEvent) => PureInput | undefined;
}

/** What came of an event in the read models. */
export interface ToldChanges extends FoldedChanges {
  /** Read models in which it stands, although a later translation of its unit superseded it. */
  readonly standsIn: readonly string[];
}

/**
 * What each event changed in the rows as they stand, by its place. A read model of which Postgres refused some of these
 * events has an order of its own: what was refused takes the place of nothing there.
 */
export function changesByPlace(source: ChangesSource): ReadonlyMap<string, ToldChanges> {
  const { projections, showsRestricted, handling, lives, refused, inOrder, inputOf } = source;
  const found = new Map<string, ToldChanges>();
  const superseded = new Set(
    inOrder(lives).flatMap(({ event, supersededBy }) => (supersededBy ? [placeName(event)] : [])),
  );
  const told = (some: readonly AnyProjection[], all: readonly KeyLife[]) => {
    const teller = new ChangeTeller(some, showsRestricted, handling);
    for (const { event, supersededBy } of inOrder(all)) {
      const input = supersededBy ? undefined : inputOf(event);
      if (!input) continue;
      const { changes, parked } = teller.apply(input);
      const place = placeName(event);
      const before = found.get(place);
      found.set(place, {
        changes: [...(before?.changes ?? []), ...changes],
        parked: [...(before?.parked ?? []), ...parked],
        standsIn: [...(before?.standsIn ?? []), ...(superseded.has(place) ? some.map(({ name }) => name) : [])],
      });
    }
  };
  const isApart = ({ name }: AnyProjection) => (refused.get(name)?.size ?? 0) > 0;
  told(
    projections.filter((projection) => !isApart(projection)),
    lives,
  );
  for (const projection of projections.filter(isApart))
    told(
      [projection],
      lives.map(({ all }) => lifeOf(all, refused.get(projection.name))),
    );
  return found;
}
