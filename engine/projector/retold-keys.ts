import type { LaneEvent } from "./events.js";
import { withEvent } from "./origins.js";
import { type TellOptions, type Told, tell } from "./retelling.js";

/** A key that a unit translated again concerns: what its rows are made of. */
export class RetoldKey {
  /** All that may have to be opened, in the order of origins. */
  events: readonly LaneEvent[];

  constructor(events: readonly LaneEvent[]) {
    this.events = events;
  }

  /** One more event, that changes nothing of what stands: of a unit as it was received, or refused by Postgres. */
  take(event: LaneEvent): void {
    this.events = withEvent(this.events, event);
  }

  /** One more event, with which the key is told again. @returns what it was, and what it is now. */
  retell(options: TellOptions, event: LaneEvent): readonly [Told, Told] {
    const before = tell(options, event.key, this.events);
    this.take(event);
    return [before, tell(options, event.key, this.events)];
  }
}
