import { storableText } from "./checkpoint.js";
import type { LaneDecisions } from "./decisions.js";
import type { LaneEvent } from "./events.js";
import type { HeldPlace } from "./held-keys.js";
import type { KeyHistory } from "./key-history.js";
import { parkedByOperator } from "./park-reason.js";

/** A key that a unit translated again concerns. */
export interface RetoldKey {
  /** What stands of it, in the order of origins. */
  events: readonly LaneEvent[];
  /** Where it is held, if it is. */
  heldAt: number | undefined;
  /** Whether what was decided about the event it is held at is recorded and not carried out: it is held there until then. */
  readonly isPending: boolean;
}

export interface RetoldSources {
  readonly history: KeyHistory;
  /** Where keys are held, by key as it is stored. */
  readonly places: ReadonlyMap<string, HeldPlace>;
  readonly decisions: LaneDecisions;
}

/** What stands of keys before an offset of their partition. */
export async function retoldKeys(
  { history, places, decisions }: RetoldSources,
  keys: ReadonlySet<string>,
  before: number,
): Promise<Map<string, RetoldKey>> {
  // Its owner ended, or lost Postgres, between the two.
  const isPending = ({ offset, code }: HeldPlace) =>
    decisions.has(offset) && !(decisions.get(offset) === "park" && code === parkedByOperator.code);
  const pending = new Set([...places.values()].filter(isPending).map(({ offset }) => offset));
  const standing = await history(keys, before, pending);
  return new Map(
    [...standing].map(([key, events]) => {
      const place = places.get(storableText(key));
      return [key, { events, heldAt: place?.offset, isPending: place !== undefined && isPending(place) }];
    }),
  );
}
