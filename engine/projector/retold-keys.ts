import { storableText } from "./checkpoint.js";
import type { LaneDecisions } from "./decisions.js";
import type { LaneEvent } from "./events.js";
import type { HeldPlace } from "./held-keys.js";
import type { KeyHistory } from "./key-history.js";
import { parkedByOperator } from "./operator-park.js";
import { withEvent } from "./origins.js";

/** A key that a unit translated again concerns. */
export class RetoldKey {
  /** What stands of it, in the order of origins. */
  events: readonly LaneEvent[];
  /** What its rows were made of, where that is something else: a decision about it is recorded and not carried out. */
  made: readonly LaneEvent[] | undefined;
  /** Where it is held, if it is. */
  heldAt: number | undefined;

  constructor(events: readonly LaneEvent[], made: readonly LaneEvent[] | undefined, heldAt: number | undefined) {
    this.events = events;
    this.made = made;
    this.heldAt = heldAt;
  }

  /** One more event of it. */
  take(event: LaneEvent): void {
    this.events = withEvent(this.events, event);
    this.made &&= withEvent(this.made, event);
  }

  /** One more event, with which it is told again, under all decisions. */
  retell(event: LaneEvent): void {
    this.events = withEvent(this.events, event);
    this.made = undefined;
  }
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
  const standing = await history(keys, before);
  // Its owner ended, or lost Postgres, after it had recorded what was decided. Telling the key again carries it out.
  const isPending = ({ offset, code }: HeldPlace) =>
    decisions.has(offset) && !(decisions.get(offset) === "park" && code === parkedByOperator.code);
  const pending = new Set([...places.values()].filter(isPending).map(({ offset }) => offset));
  const made = pending.size > 0 ? await history(keys, before, pending) : undefined;
  return new Map(
    [...standing].map(([key, events]) => {
      const heldAt = places.get(storableText(key))?.offset;
      return [key, new RetoldKey(events, made?.get(key), heldAt)];
    }),
  );
}
