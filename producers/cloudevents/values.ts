import { withinYears } from "../../engine/intake/zone.js";
import type { Data } from "./read-form.js";

/** Thrown inside a translation for a value that its field can't have; never leaves it. */
export class ValueProblem extends Error {
  readonly code: string;
  readonly place: string;

  /** @param place names a field, never a value. */
  constructor(code: string, place: string) {
    super(code);
    this.code = code;
    this.place = place;
  }
}

/** An amount as text (`-12.30`) in integer cents, from its digits alone. */
export function centsOf(text: string, place: string): number {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d{1,12})(?:\.(\d{1,2}))?$/.exec(text) ?? [];
  if (whole === "") throw new ValueProblem("FIELD_INVALID", place);
  const cents = Number(whole + fraction.padEnd(2, "0"));
  return sign === "-" && cents !== 0 ? -cents : cents;
}

/** An instant as RFC 3339 text, with its offset, in epoch milliseconds. */
export function instantOf(text: string, place: string): number {
  const found =
    /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/.exec(text);
  const time = found ? Date.parse(text) : Number.NaN;
  if (!found || Number.isNaN(time) || !isDay(found[1] ?? "")) throw new ValueProblem("FIELD_INVALID", place);
  return withinYears(time);
}

/** Whether it is a day of the calendar, YYYY-MM-DD, of the years 1 to 9999. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith("0000")) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Text of a field; null when it is not there or empty. */
export function textOf(data: Data, name: string): string | null {
  const value = data[name];
  return typeof value === "string" && value !== "" ? value : null;
}

/** Most bytes of what names something: read models look things up by it. */
const longestName = 1_000;

/** Text that must be there: it names something. */
export function neededText(data: Data, name: string, place: string): string {
  const value = textOf(data, name);
  if (value === null || value.trim() === "") throw new ValueProblem("FIELD_MISSING", `${place}.${name}`);
  if (Buffer.byteLength(value) > longestName) throw new ValueProblem("FIELD_INVALID", `${place}.${name}`);
  return value;
}
