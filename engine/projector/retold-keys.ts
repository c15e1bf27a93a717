import { storableText } from "./checkpoint.js";
import type { LaneDecisions } from "./decisions.js";
import type { LaneEvent } from "./events.js";
import type { HeldPlace } from "./held-keys.js";
import type { KeyHistory } from "./key-history.js";
import { waitingFrom, withEvent } from "./origins.js";
import { parkedByOperator, writeRefused } from "./park-reason.js";
import { type TellOptions, type Told, tell } from "./retelling.js";

/** A key that a unit translated again concerns: what stands of it, and what its rows are made of. */
export class RetoldKey {
  /** In the order of origins. */
  #events: readonly LaneEvent[];
  /** What its rows are made of, where Postgres refused some of it: what came since waits. Else all that stands. */
  #made: readonly LaneEvent[] | undefined;
  #heldAt: number | undefined;
  /** Whether what was decided about the event it is held at is recorded and not carried out: it is held there until then. */
  readonly #isPending: boolean;

  constructor(
    events: readonly LaneEvent[],
    held: {
      readonly made: readonly LaneEvent[] | undefined;
      readonly at: number | undefined;
      readonly isPending: boolean;
    },
  ) {
    this.#events = events;
    this.#made = held.made;
    this.#heldAt = held.at;
    this.#isPending = held.isPending;
  }

  /** One more event, of a unit as it was received. */
  take(event: LaneEvent): void {
    this.#events = withEvent(this.#events, event);
    this.#made &&= [...this.#made, event];
  }

  /** One more event, of which Postgres refused what would come. */
  refuse(event: LaneEvent): void {
    this.#made = [...(this.#made ?? this.#events), ...waitingFrom(0, [event])];
    this.#events = withEvent(this.#events, event);
    this.#heldAt ??= event.offset;
  }

  /** One more event, with which the key is told again. @returns what it was, and what it is now. */
  retell(options: TellOptions, event: LaneEvent): readonly [Told, Told] {
    const held = { ...options, heldAt: this.#heldAt };
    const before = tell(held, event.key, this.#made ?? this.#events);
    this.#events = withEvent(this.#events, event);
    let after: Told;
    if (this.#isPending && this.#made) {
      this.#made = [...this.#made, ...waitingFrom(0, [event])];
      after = tell(held, event.key, this.#made);
    } else {
      after = tell(this.#isPending ? held : options, event.key, this.#events);
      this.#made = undefined;
    }
    this.#heldAt = after.parked?.event.offset;
    return [before, after];
  }

  /** All that may have to be opened. */
  get events(): readonly LaneEvent[] {
    return this.#made ? [...this.#events, ...this.#made] : this.#events;
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
  // Its owner ended, or lost Postgres, between the two.
  const isPending = ({ offset, code }: HeldPlace) =>
    decisions.has(offset) && !(decisions.get(offset) === "park" && code === parkedByOperator.code);
  const pending = new Set([...places.values()].filter(isPending).map(({ offset }) => offset));
  const refused = new Map(
    [...places].filter(([, { code }]) => code === writeRefused).map(([key, { offset }]) => [key, offset] as const),
  );
  const standing = await history(keys, before, { pending });
  const made = refused.size > 0 ? await history(keys, before, { pending, refused }) : undefined;
  return new Map(
    [...standing].map(([key, events]) => {
      const name = storableText(key);
      const place = places.get(name);
      const held = { at: place?.offset, isPending: place !== undefined && isPending(place) };
      return [key, new RetoldKey(events, { ...held, made: refused.has(name) ? made?.get(key) : undefined })];
    }),
  );
}
