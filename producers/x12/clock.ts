import { instantInZone } from "../../engine/intake/zone.js";
import { readDate } from "./element.js";

export interface Instant {
  /** Epoch milliseconds, UTC. */
  readonly time: number;
  readonly precision: "DAY" | "MINUTE" | "SECOND";
}

/**
 * The instant that a date (`CCYYMMDD`) and a time (`HHMM[SS[DD]]`) name in a time zone.
 * Null when the date is none;
 * without a readable time it is the start of the day.
 */
export function instantOf(date: string | undefined, time: string | undefined, zone: string): Instant | null {
  const day = readDate(date);
  if (!day) return null;
  const clock = time !== undefined && /^\d{4,8}$/.test(time) ? time : "";
  const wall = Date.UTC(
    Number(day.slice(0, 4)),
    Number(day.slice(5, 7)) - 1,
    Number(day.slice(8, 10)),
    Number(clock.slice(0, 2) || "0"),
    Number(clock.slice(2, 4) || "0"),
    Number(clock.slice(4, 6) || "0"),
  );
  const precision = clock === "" ? "DAY" : clock.length >= 6 ? "SECOND" : "MINUTE";
  return { time: instantInZone(wall, zone), precision };
}

/** Start of a day (`YYYY-MM-DD`) in UTC, epoch milliseconds. */
export function startOfDay(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)) - 1, Number(day.slice(8, 10)));
}
