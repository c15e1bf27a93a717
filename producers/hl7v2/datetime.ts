import type { EventInputsTimePrecision } from "../../engine/intake/connector.js";
import { instantInZone, utc, withinYears } from "../../engine/intake/zone.js";

/** A time stamp as HL7 v2 writes it (data types TS and DTM): YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]. */
export interface TimeStamp {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Milliseconds since midnight. */
  readonly clock: number;
  readonly precision: EventInputsTimePrecision;
  /** Milliseconds ahead of UTC; undefined when the sender gave none. */
  readonly offset: number | undefined;
}

const FORM = /^(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,4}))?([+-])?(\d{4})?$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0);
}

/**
 * Reads a time stamp.
 * @returns undefined when it has another form, or names a day or time that doesn't exist (30 February, second 60).
 */
export function parseTimeStamp(text: string): TimeStamp | undefined {
  const match = FORM.exec(text.trim());
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, zone] = match;
  if (fraction !== undefined && second === undefined) return undefined;
  if ((sign === undefined) !== (zone === undefined)) return undefined;
  if (zone !== undefined && !isOffset(zone)) return undefined;
  const parts = {
    year: Number(year),
    month: Number(month ?? 1),
    day: Number(day ?? 1),
    hour: Number(hour ?? 0),
    minute: Number(minute ?? 0),
    second: Number(second ?? 0),
  };
  if (parts.year < 1 || parts.month < 1 || parts.month > 12) return undefined;
  if (parts.day < 1 || parts.day > daysOf(parts.year, parts.month)) return undefined;
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 59) return undefined;
  // Four decimals are legal; ours are milliseconds, cut off, never rounded into the next second.
  const milliseconds = fraction === undefined ? 0 : Math.floor(Number(fraction.padEnd(4, "0")) / 10);
  return {
    year: parts.year,
    month: parts.month,
    day: parts.day,
    clock: ((parts.hour * 60 + parts.minute) * 60 + parts.second) * 1000 + milliseconds,
    precision: precisionOf(month, day, hour, minute, second, fraction),
    offset: zone === undefined ? undefined : offsetOf(sign as string, zone),
  };
}

/** No clock on earth is more than 14 hours from UTC. */
const isOffset = (zone: string): boolean => Number(zone.slice(0, 2)) <= 14 && Number(zone.slice(2)) <= 59;

function offsetOf(sign: string, zone: string): number {
  const minutes = Number(zone.slice(0, 2)) * 60 + Number(zone.slice(2));
  return (sign === "-" ? -minutes : minutes) * 60_000;
}

function precisionOf(
  month: string | undefined,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined,
  fraction: string | undefined,
): EventInputsTimePrecision {
  if (fraction !== undefined) return "MILLISECOND";
  if (second !== undefined) return "SECOND";
  if (minute !== undefined) return "MINUTE";
  if (hour !== undefined) return "HOUR";
  if (day !== undefined) return "DAY";
  return month === undefined ? "YEAR" : "MONTH";
}

/** What a time without an offset is read by: the zone of its sender, or the offset that its message states for all. */
export type Zone = string | number;

/**
 * The instant of a time stamp, epoch milliseconds: by its own offset, else on the wall clock of the sender's zone. What
 * it leaves out counts as its beginning (a year is its first of January, 00:00).
 * @param zone IANA name, or milliseconds ahead of UTC.
 */
export function instantOf(stamp: TimeStamp, zone: Zone): number {
  const wall = utc(stamp.year, stamp.month, stamp.day) + stamp.clock;
  const offset = stamp.offset ?? (typeof zone === "number" ? zone : undefined);
  return offset === undefined ? instantInZone(wall, zone as string) : withinYears(wall - offset);
}

/** The date of a time stamp at the precision given: "YYYY", "YYYY-MM" or "YYYY-MM-DD". */
export function dateOf(stamp: TimeStamp): string {
  const year = String(stamp.year).padStart(4, "0");
  if (stamp.precision === "YEAR") return year;
  const month = String(stamp.month).padStart(2, "0");
  return stamp.precision === "MONTH" ? `${year}-${month}` : `${year}-${month}-${String(stamp.day).padStart(2, "0")}`;
}

/** HL7's form of an instant in UTC, to the second, with its offset: for the headers of our answers. */
export function formatInstant(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19).replace(/[-T:]/g, "")}+0000`;
}
