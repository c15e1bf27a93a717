/** The zones in which the region's senders write their clocks. */
export type Zone = "UTC" | "America/New_York";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const two = Array.from({ length: 100 }, (_, n) => (n < 10 ? `0${n}` : `${n}`));
const digits = (n: number): string => two[n] as string;

/** The Sunday number `nth` (1 first) of a month, as the day of the month. */
function sunday(year: number, month: number, nth: number): number {
  const first = new Date(Date.UTC(year, month, 1)).getUTCDay();
  return 1 + ((7 - first) % 7) + (nth - 1) * 7;
}

const summers = new Map<number, { from: number; to: number }>();

/** Hours of New York behind UTC: 4 from the second Sunday of March to the first of November, else 5 (15 U.S.C. 260a). */
function hoursBehind(at: number, zone: Zone): number {
  if (zone === "UTC") return 0;
  const year = new Date(at).getUTCFullYear();
  let summer = summers.get(year);
  if (summer === undefined) {
    summer = { from: Date.UTC(year, 2, sunday(year, 2, 2), 7), to: Date.UTC(year, 10, sunday(year, 10, 1), 6) };
    summers.set(year, summer);
  }
  return at >= summer.from && at < summer.to ? 4 : 5;
}

const dates = new Map<number, string>();

/** The day of a moment in UTC, "YYYYMMDD". `at` is in epoch milliseconds. */
export function compactDay(at: number): string {
  const number = Math.floor(at / DAY);
  let text = dates.get(number);
  if (text === undefined) {
    text = new Date(number * DAY).toISOString().slice(0, 10).replaceAll("-", "");
    dates.set(number, text);
  }
  return text;
}

/**
 * A moment as HL7 v2 writes it: "YYYYMMDDHHMMSS", on the wall clock of `zone`.
 * @param withOffset adds the offset, as in "20260112081500-0500".
 */
export function hl7Stamp(at: number, zone: Zone, withOffset: boolean): string {
  const behind = hoursBehind(at, zone);
  const local = at - behind * HOUR;
  const second = Math.floor((local % DAY) / SECOND);
  const time = digits(Math.floor(second / 3600)) + digits(Math.floor(second / 60) % 60) + digits(second % 60);
  const offset = withOffset ? (behind === 0 ? "+0000" : `-0${behind}00`) : "";
  return compactDay(local) + time + offset;
}

/** The wall-clock time "HHMM" of a moment in UTC. */
export const compactMinute = (at: number): string => hl7Stamp(at, "UTC", false).slice(8, 12);

/** A moment as the truth states it: "2026-01-12T13:15:00Z". */
export const isoSecond = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** The day of a moment in UTC as the truth states it: "2026-01-12". */
export const isoDay = (at: number): string => new Date(at).toISOString().slice(0, 10);
