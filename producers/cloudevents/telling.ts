import type { EventDraft, Surrogate } from "../../engine/intake/connector.js";
import type { Profile } from "./profile.js";
import type { Data } from "./read-form.js";

/** Who sends, and the engine's hash for surrogate ids. */
export interface Sender {
  readonly profile: Profile;
  readonly surrogate: Surrogate;
}

/** An event as a partner told it. */
export interface Told {
  /** Name of the event, `ClaimSubmitted`. */
  readonly type: EventDraft["type"];
  /** Epoch milliseconds. */
  readonly time: number;
  readonly data: Data;
}

/** What an event comes to. */
export interface Meaning {
  readonly events: readonly EventDraft[];
  /** Whose keys seal the event's bytes. */
  readonly sealFor: readonly string[];
}
