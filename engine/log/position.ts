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
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  let at = colon;
  // By hand: a pattern takes half as long as all the rest of reading an event.
  const number = (): number => {
    let value = 0;
    const start = ++at;
    for (; at < text.length; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return at > start && (at === text.length || text.charCodeAt(at) === 58) ? value : Number.NaN;
  };
  const [partition, offset, index, recordedAt] = [number(), number(), number(), number()];
  if (at !== text.length || Number.isNaN(partition + offset + index + recordedAt)) return undefined;
  return { journal: text.slice(0, colon), partition, offset, index, recordedAt };
}

/** Negative when `left` comes before `right`; both of the same journal partition. */
export function comparePositions(
  left: Pick<EventPosition, "offset" | "index">,
  right: Pick<EventPosition, "offset" | "index">,
): number {
  return left.offset - right.offset || left.index - right.index;
}
