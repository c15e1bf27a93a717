import avro from "avsc";

/**
 * Money: `decimal(precision, scale)` over bytes, two's complement, big-endian (Avro 1.12, "Decimal").
 * In memory an integer of the smallest unit; our scale is 2, so integer cents.
 */
export class DecimalType extends avro.types.LogicalType {
  /** What an amount is below, without its sign. */
  readonly bound: number;
  readonly scale: number;

  constructor(schema: avro.Schema, options?: unknown) {
    super(schema, options);
    const { precision, scale = 0 } = schema as { precision?: number; scale?: number };
    if (!Number.isInteger(precision) || precision === undefined || precision < 1 || precision > 15) {
      throw new Error("A decimal's precision must be 1 to 15, so that a JavaScript number holds it.");
    }
    this.bound = 10 ** precision;
    this.scale = scale;
  }

  protected override _fromValue(bytes: Buffer | undefined): number {
    if (bytes === undefined || bytes.length === 0) throw new Error("A decimal without bytes.");
    let value = bytes.readInt8(0);
    for (let index = 1; index < bytes.length; index++) {
      value = value * 256 + (bytes[index] as number);
      if (Math.abs(value) >= this.bound) throw new Error("A decimal beyond its precision.");
    }
    return value;
  }

  protected override _toValue(value: unknown): Buffer | undefined {
    if (typeof value !== "number" || !Number.isInteger(value) || Math.abs(value) >= this.bound) return undefined;
    let length = 1;
    while (value < -(2 ** (8 * length - 1)) || value >= 2 ** (8 * length - 1)) length++;
    const bytes = Buffer.allocUnsafe(length);
    // Floor division works in two's complement for negative values as well.
    for (let index = length - 1, rest = value; index >= 0; index--) {
      const next = Math.floor(rest / 256);
      bytes[index] = rest - next * 256;
      rest = next;
    }
    return bytes;
  }

  protected override _resolve(type: avro.Type): ((value: number) => number) | undefined {
    return type instanceof DecimalType && type.scale === this.scale ? (value) => value : undefined;
  }
}

const dayMilliseconds = 86_400_000;
const firstDay = new Date("0000-01-01T00:00:00Z").getTime();
const lastDay = new Date("9999-12-31T00:00:00Z").getTime();

/** Days since 1970-01-01 in the proleptic Gregorian calendar; in memory "YYYY-MM-DD". */
export class DateType extends avro.types.LogicalType {
  protected override _fromValue(days: number): string {
    const instant = days * dayMilliseconds;
    if (!(instant >= firstDay && instant <= lastDay)) throw new Error("A date outside of years 0000 to 9999.");
    return new Date(instant).toISOString().slice(0, 10);
  }

  protected override _toValue(value: unknown): number | undefined {
    return typeof value === "string" ? daysSinceEpoch(value) : undefined;
  }

  protected override _resolve(type: avro.Type): ((value: string) => string) | undefined {
    return type instanceof DateType ? (value) => value : undefined;
  }
}

const daysOfMonths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days from 1970-01-01 to a day written YYYY-MM-DD; undefined for what is no day of the calendar. */
export function daysSinceEpoch(text: string): number | undefined {
  if (text.length !== 10 || text.charCodeAt(4) !== hyphen || text.charCodeAt(7) !== hyphen) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const date = digits(text, 8, 10);
  if (!(year >= 0 && month >= 1 && month <= 12 && date >= 1)) return undefined;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  if (date > (month === 2 && leap ? 29 : (daysOfMonths[month - 1] as number))) return undefined;
  // Years begin in March here, so that the day of a leap year is its last.
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + date - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const hyphen = 45;

/** The number that decimal digits make; NaN when one isn't a digit. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
