/** A stretch of time in which a zone keeps one offset. */
interface Stretch {
  /** First instant of it, epoch milliseconds. */
  readonly from: number;
  /** Milliseconds to add to UTC for the wall clock. */
  readonly offset: number;
}

const DAY = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const years = new Map<string, readonly Stretch[]>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    // Calendar, digits and hour cycle are fixed here, so nothing depends on the machine's locale.
    format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short",
    });
    formats.set(zone, format);
  }
  return format;
}

/** What the zone's wall clock is ahead of UTC at an instant, in milliseconds. */
function offsetAt(zone: string, instant: number): number {
  const part: Record<string, string> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) part[type] = value;
  const year = part.era === "BC" ? 1 - Number(part.year) : Number(part.year);
  const wall = new Date(0);
  wall.setUTCFullYear(year, Number(part.month) - 1, Number(part.day));
  wall.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second), 0);
  return wall.getTime() - Math.floor(instant / 1000) * 1000;
}

/** The stretches that cover a year of the zone's wall clock. Computed once: a zone's rules don't change while we run. */
function stretchesOf(zone: string, year: number): readonly Stretch[] {
  const key = `${zone}/${year}`;
  const known = years.get(key);
  if (known !== undefined) return known;
  const start = utc(year, 1, 1) - 2 * DAY;
  const end = utc(year + 1, 1, 1) + 2 * DAY;
  const stretches: Stretch[] = [{ from: start, offset: offsetAt(zone, start) }];
  // No zone has changed its clock twice within five days.
  for (let before = start; before < end; before += 5 * DAY) {
    const offset = offsetAt(zone, before);
    const after = offsetAt(zone, before + 5 * DAY);
    if (offset === after) continue;
    let low = before;
    let high = before + 5 * DAY;
    while (high - low > 1000) {
      const middle = low + Math.floor((high - low) / 2000) * 1000;
      if (offsetAt(zone, middle) === offset) low = middle;
      else high = middle;
    }
    stretches.push({ from: high, offset: after });
  }
  // A sender's nonsense years must not fill the memory.
  if (years.size > 2_000) years.clear();
  years.set(key, stretches);
  return stretches;
}

/** Midnight of a day in UTC, epoch milliseconds, for years 1 to 9999. */
export function utc(year: number, month: number, day: number): number {
  if (year >= 100) return Date.UTC(year, month - 1, day);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime();
}

const earliest = utc(1, 1, 1);
const latest = utc(9999, 12, 31) + DAY - 1;

/** Whether an instant is of the years 1 to 9999 in UTC, those that events and read models hold. */
export const isWithinYears = (instant: number): boolean => instant >= earliest && instant <= latest;

/**
 * An instant within the years 1 to 9999: what is written as one of them and lies a few hours outside in UTC (midnight
 * before the year 10000 in New York, as senders write "never") is the first or last instant there is.
 */
export const withinYears = (instant: number): number => Math.min(Math.max(instant, earliest), latest);

/**
 * The instant at which a zone's wall clock shows a time.
 *
 * A time that the clock shows twice (summer time ends) is its first showing; one that it never shows (summer time
 * begins) is the moment of the change. So later wall-clock times never become earlier instants, and a sender's order
 * stays as it was written.
 * @param wall the wall-clock time as if it were UTC, epoch milliseconds.
 * @param zone IANA name.
 */
export function instantInZone(wall: number, zone: string): number {
  if (zone === "UTC") return wall;
  const stretches = stretchesOf(zone, new Date(wall).getUTCFullYear());
  for (let at = 0; at < stretches.length; at++) {
    const { from, offset } = stretches[at] as Stretch;
    const next = stretches[at + 1]?.from ?? Number.POSITIVE_INFINITY;
    const instant = wall - offset;
    if (instant < from) return withinYears(from);
    if (instant < next) return withinYears(instant);
  }
  return withinYears(wall);
}

/** Whether this machine knows the zone. */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}
