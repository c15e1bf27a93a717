import { InvalidArgumentError } from "commander";

const iso =
  /^(\d{4})-(\d\d)-(\d\d)(?:T([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,3})?)?(?:Z|[+-]([01]\d|2[0-3]):?[0-5]\d))?$/;

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/**
 * An instant that a caller gives: a date and time with its zone, a day (its first instant in UTC), or epoch milliseconds.
 * Without a zone it would be another instant on every machine.
 * @returns epoch milliseconds.
 * @throws InvalidArgumentError
 */
export function instantOf(text: string): number {
  // Of 2001 to 2286. Ten digits are seconds; 12 and 14 are dates as messages have them, 20260131 and the time, which would be
  // moments of 1976 and of 2612.
  if (/^\d{13}$/.test(text)) return Number(text);
  const [found, year, month, day] = iso.exec(text) ?? [];
  const instant = found && isDay(Number(year), Number(month), Number(day)) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant)) {
    throw new InvalidArgumentError(
      "an instant with its zone, as 2026-01-31T23:59:59Z, a day (its beginning in UTC), or epoch milliseconds (13 digits).",
    );
  }
  return instant;
}

/** A whole number above zero. @throws InvalidArgumentError */
export function countOf(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("a whole number above zero is needed.");
  return value;
}

/** Seconds above zero. @throws InvalidArgumentError */
export function secondsOf(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError("seconds above zero are needed.");
  return value;
}
