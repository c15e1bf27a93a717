import { instantInZone, utc, withinYears } from "../../engine/intake/zone.js";

/** How exact a FHIR date, dateTime or instant is. */
export type Precision = "YEAR" | "MONTH" | "DAY" | "MINUTE" | "SECOND" | "MILLISECOND";

export interface Moment {
  /** Its first instant, epoch milliseconds UTC. */
  readonly time: number;
  /** Its last instant. */
  readonly last: number;
  readonly precision: Precision;
}

const form = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/;

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

const lengths: Readonly<Record<Exclude<Precision, "YEAR" | "MONTH">, number>> = {
  DAY: 86_400_000,
  MINUTE: 60_000,
  SECOND: 1_000,
  MILLISECOND: 1,
};

/**
 * Reads a date, dateTime or instant (FHIR R4, 2.24.0.1) that exists in the calendar.
 * @param zone IANA zone of what has no offset.
 * @returns undefined when it is none. A leap second counts as the second before.
 */
export function readMoment(text: string, zone = "UTC"): Moment | undefined {
  const parts = form.exec(text);
  if (!parts) return undefined;
  const [, years, months, days, hours, minutes, seconds, fraction, offset] = parts;
  const year = Number(years);
  const month = Number(months ?? "1");
  const day = Number(days ?? "1");
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  const start = utc(year, month, day);
  if (hours === undefined) {
    const next =
      months === undefined ? utc(year + 1, 1, 1) : month === 12 ? utc(year + 1, 1, 1) : utc(year, month + 1, 1);
    if (days === undefined) return { time: start, last: next - 1, precision: months === undefined ? "YEAR" : "MONTH" };
    return { time: start, last: start + lengths.DAY - 1, precision: "DAY" };
  }
  const hour = Number(hours);
  const second = Math.min(Number(seconds ?? "0"), 59);
  if (hour > 23 || Number(minutes) > 59 || Number(seconds ?? "0") > 60) return undefined;
  const milliseconds = fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0"));
  const wall = start + hour * 3_600_000 + Number(minutes) * 60_000 + second * 1_000 + milliseconds;
  const precision = fraction !== undefined ? "MILLISECOND" : seconds !== undefined ? "SECOND" : "MINUTE";
  const time = offset === undefined ? instantInZone(wall, zone) : withinYears(wall - offsetOf(offset));
  return Number.isNaN(time) ? undefined : { time, last: withinYears(time + lengths[precision] - 1), precision };
}

/** Milliseconds ahead of UTC; not a number when there is no such offset. */
function offsetOf(text: string): number {
  if (text === "Z") return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(4, 6));
  if (hours > 14 || minutes > 59) return Number.NaN;
  return (text[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const dated = /^\d{4}(-\d\d(-\d\d)?)?$/;
const timed = /T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Whether a text is a value of one of FHIR's types of time. */
export function isTemporal(type: "date" | "dateTime" | "instant", text: string): boolean {
  if (type === "date" && !dated.test(text)) return false;
  if (type === "instant" && !timed.test(text)) return false;
  // A dateTime with a time needs its offset (FHIR R4: "If hours and minutes are specified, a time zone SHALL be populated").
  if (type === "dateTime" && text.includes("T") && !timed.test(text)) return false;
  return readMoment(text) !== undefined;
}

/** The day (`YYYY-MM-DD`) that a date or dateTime names, as written; undefined when it is less exact. */
export const dayOf = (text: string | undefined): string | undefined =>
  text !== undefined && text.length >= 10 ? text.slice(0, 10) : undefined;

/** Start of the UTC day in which an instant lies, epoch milliseconds. */
export const startOfDay = (time: number): number => Math.floor(time / lengths.DAY) * lengths.DAY;
