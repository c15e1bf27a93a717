import { instantInZone, utc } from "../../engine/intake/zone.js";
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
  const at = (from: number) => Number(clock.slice(from, from + 2) || "0");
  const wall = startOfDay(day) + ((at(0) * 60 + at(2)) * 60 + at(4)) * 1000;
  const precision = clock === "" ? "DAY" : clock.length >= 6 ? "SECOND" : "MINUTE";
  return { time: instantInZone(wall, zone), precision };
}

/** Start of a day (`YYYY-MM-DD`) in UTC, epoch milliseconds. */
export function startOfDay(day: string): number {
  return utc(Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8, 10)));
}
