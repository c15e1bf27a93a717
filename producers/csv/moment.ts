import { instantInZone, utc, withinYears } from "../../engine/intake/zone.js";

/** A day or an instant as a partner wrote it. */
export interface Moment {
  /** Epoch milliseconds, UTC; of a day its start in the zone for instants, in UTC for days. */
  readonly time: number;
  /** YYYY-MM-DD as written. */
  readonly day: string;
  readonly precision: "DAY" | "MINUTE" | "SECOND" | "MILLISECOND";
}

const parts: Readonly<Record<string, string>> = {
  YYYY: "(?<year>\\d{4})",
  MM: "(?<month>\\d{2})",
  M: "(?<month>\\d{1,2})",
  DD: "(?<date>\\d{2})",
  D: "(?<date>\\d{1,2})",
  HH: "(?<hour>\\d{2})",
  mm: "(?<minute>\\d{2})",
  ss: "(?<second>\\d{2})",
  SSS: "(?<fraction>\\d{1,9})",
  Z: "(?<zone>Z|[+-]\\d{2}:?\\d{2})",
};

/**
 * The pattern of a format: `YYYY`, `MM`, `M`, `DD`, `D`, `HH`, `mm`, `ss`, `SSS` (1 to 9 digits), `Z` (`Z` or `+02:00`);
 * other characters stand for themselves.
 * @returns null when year, month or day is missing or stands twice.
 */
export function patternOf(format: string): RegExp | null {
  const names: string[] = [];
  const source = format.replace(/YYYY|MM?|DD?|HH|mm|ss|SSS|Z|[^A-Za-z0-9]|T/g, (token) => {
    const part = parts[token];
    if (part === undefined) return token.replace(/[.*+?^${}()|[\]\\]/, "\\$&");
    names.push(/<(\w+)>/.exec(part)?.[1] ?? "");
    return part;
  });
  const needed = ["year", "month", "date"];
  if (new Set(names).size !== names.length || needed.some((name) => !names.includes(name))) return null;
  return /[A-Za-z]/.test(format.replace(/YYYY|MM?|DD?|HH|mm|ss|SSS|Z|T/g, "")) ? null : new RegExp(`^${source}$`);
}

/**
 * Reads a date or time in one of the formats; days that the calendar doesn't have are none.
 * @param zone of times without an offset; a day is in UTC.
 */
export function readMoment(text: string, patterns: readonly RegExp[], zone: string): Moment | null {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.groups;
    if (found) return momentOf(found, zone);
  }
  return null;
}

function momentOf(found: Readonly<Record<string, string | undefined>>, zone: string): Moment | null {
  const number = (name: string): number => Number(found[name] ?? "0");
  const [year, month, date] = [number("year"), number("month"), number("date")];
  const [hour, minute, second] = [number("hour"), number("minute"), number("second")];
  if (month < 1 || month > 12 || date < 1 || date > daysOf(year, month) || year < 1) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  const day = `${found.year}-${twoDigits(month)}-${twoDigits(date)}`;
  if (found.hour === undefined) return { time: utc(year, month, date), day, precision: "DAY" };
  const milliseconds = Number((found.fraction ?? "").slice(0, 3).padEnd(3, "0"));
  const wall = utc(year, month, date) + ((hour * 60 + minute) * 60 + second) * 1000 + milliseconds;
  const offset = offsetOf(found.zone);
  const time = offset === null ? instantInZone(wall, zone) : withinYears(wall - offset);
  const precision = found.fraction ? "MILLISECOND" : found.second ? "SECOND" : "MINUTE";
  return { time, day, precision };
}

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** Milliseconds that a zone like `+02:00` is ahead of UTC; null when none is given. */
function offsetOf(zone: string | undefined): number | null {
  if (zone === undefined) return null;
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith("-") ? -1 : 1) * minutes * 60_000;
}

const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (lengths[month - 1] ?? 0);
}
