/** Header that carries the journal position of an event. */
export const positionHeader = "position";

/** The place an event came from: its unit in the journal, its index in the unit, and when the unit was recorded. */
export interface EventPosition {
  /** Id of the journal, made with its topic. */
  readonly journal: string;
  readonly partition: number;
  readonly offset: number;
  /** Index of the event among those of its unit. */
  readonly index: number;
  /** Recorded time, epoch milliseconds: monotone along a journal partition. */
  readonly recordedAt: number;
}

/** `journal:partition:offset:index:recordedAt`, numbers in base 10. */
export function formatPosition(position: EventPosition): string {
  const { journal, partition, offset, index, recordedAt } = position;
  return `${journal}:${partition}:${offset}:${index}:${recordedAt}`;
}

/** @returns undefined when the text isn't a position. */
export function parsePosition(text: string): EventPosition | undefined {
  const match = /^([^:]+):(\d+):(\d+):(\d+):(\d+)$/.exec(text);
  if (!match) return undefined;
  return {
    journal: match[1] as string,
    partition: Number(match[2]),
    offset: Number(match[3]),
    index: Number(match[4]),
    recordedAt: Number(match[5]),
  };
}

/** Negative when `left` comes before `right`; both of the same journal partition. */
export function comparePositions(
  left: Pick<EventPosition, "offset" | "index">,
  right: Pick<EventPosition, "offset" | "index">,
): number {
  return left.offset - right.offset || left.index - right.index;
}
