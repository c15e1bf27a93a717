import type { Speaker } from "./identify.js";
import type { Message } from "./message.js";
import type { EventTime } from "./time.js";

/** What every event of a message is made with. */
export interface Telling {
  readonly message: Message;
  readonly speaker: Speaker;
  /** When the message says that it happened. */
  readonly time: EventTime;
  /** What was unusual about it, as each of its events carries it. */
  readonly flags: readonly string[];
}
