import type { FoldContext, Table } from "../engine/projector/definition.js";

/**
 * When a fact counts, so that a row is the same in whatever order its facts arrive: event time (epoch milliseconds, by
 * the sender's clock), then journal partition, offset and index of its event. Kept in hidden columns.
 */
export type Clock = readonly [time: number, partition: number, offset: number, index: number];

type Placed = Pick<FoldContext<Readonly<Record<string, Table>>>, "event" | "position">;

/** A fact translated again keeps the place of the unit it was first made from: only its content is new. */
export function clockOf({ event, position }: Placed, time: number = event.meta.time): Clock {
  const { partition, offset } = event.meta.origin ?? position;
  return [time, partition, offset, position.index];
}

/** Negative when `left` is earlier. */
export function compareClocks(left: Clock, right: Clock): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2] || left[3] - right[3];
}

/** Whether a fact at `clock` stands against what was said at `before`: nothing was, or not later. */
export const isLatest = (clock: Clock, before: Clock | undefined): boolean =>
  before === undefined || compareClocks(clock, before) >= 0;
