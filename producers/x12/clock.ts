import { readDate } from "./element.js";

export interface Instant {
  /** Epoch milliseconds, UTC. */
  readonly time: number;
  readonly precision: "DAY" | "MINUTE" | "SECOND";
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far the zone is ahead of UTC at an instant, in milliseconds. */
function offsetAt(zone: string, instant: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(instant)) if (type !== "literal") part[type] = Number(value);
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) - instant;
}

/**
 * The instant that a date (`CCYYMMDD`) and a time (`HHMM[SS[DD]]`) name in a time zone.
 * A clock time that the zone skips or repeats is read with the offset before the change. Null when the date is none;
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
  if (zone === "UTC") return { time: wall, precision };
  const first = wall - offsetAt(zone, wall - 86_400_000);
  const second = wall - offsetAt(zone, first);
  const settled = second + offsetAt(zone, second) === wall ? second : first;
  return { time: settled, precision };
}

/** Start of a day (`YYYY-MM-DD`) in UTC, epoch milliseconds. */
export function startOfDay(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)) - 1, Number(day.slice(8, 10)));
}
