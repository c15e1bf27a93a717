import type { Row } from "./definition.js";

/** A version of a row, as an event left it. */
export interface HistoryChange {
  readonly key: string;
  readonly rest: string;
  /** Undefined when the event removed the row. */
  readonly row: Row | undefined;
  /** When the event happened, where it says so, and when it was recorded; epoch milliseconds. */
  readonly occurredAt: number | null;
  readonly recordedAt: number;
  readonly offset: number;
}

/** Names a version among those of its table. */
export type VersionPlace = Pick<HistoryChange, "key" | "rest" | "offset">;
