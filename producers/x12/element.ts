/**
 * Values of X12 elements, read strictly. Every reader gives null for what is not such a value; none throws.
 */

/** Largest amount that `decimal(14,2)` holds, in cents. */
const LARGEST_CENTS = 99_999_999_999_999;
const DECIMAL = /^(-?)(\d*)(?:\.(\d*))?$/;

/** Why a text is no amount. `precision`: a fraction of a cent; `size`: more than `decimal(14,2)` holds. */
export type AmountFault = "character" | "precision" | "size";

/**
 * Reads an X12 decimal (type R) as integer cents, without floating point.
 * Zeros after the second decimal carry no value and are dropped (`605.0000`); a fraction of a cent is a fault, since
 * rounding would make money.
 */
export function readCents(text: string): { readonly cents: number } | { readonly fault: AmountFault } {
  const match = DECIMAL.exec(text);
  if (!match || (match[2] === "" && !match[3])) return { fault: "character" };
  const fraction = match[3] ?? "";
  for (let index = 2; index < fraction.length; index += 1) if (fraction[index] !== "0") return { fault: "precision" };
  const whole = match[2]!.replace(/^0+(?=\d)/, "");
  if (whole.length > 12) return { fault: "size" };
  const cents = Number(whole + fraction.slice(0, 2).padEnd(2, "0"));
  if (cents > LARGEST_CENTS) return { fault: "size" };
  return { cents: match[1] === "-" && cents !== 0 ? -cents : cents };
}

/** Integer cents of an amount, or null when it is missing or no amount. */
export function cents(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const read = readCents(text);
  return "cents" in read ? read.cents : null;
}

export function isDecimal(text: string): boolean {
  const match = DECIMAL.exec(text);
  return match !== null && (match[2] !== "" || (match[3] ?? "") !== "");
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `CCYYMMDD` (D8) as `YYYY-MM-DD`; null for a day that does not exist. */
export function readDate(text: string | undefined): string | null {
  if (text === undefined || !/^\d{8}$/.test(text)) return null;
  const year = Number(text.slice(0, 4));
  const month = Number(text.slice(4, 6));
  const day = Number(text.slice(6, 8));
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  if (day > (month === 2 && leap ? 29 : DAYS[month - 1]!)) return null;
  return `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`;
}

/** `HHMM`, `HHMMSS`, `HHMMSSD`, `HHMMSSDD` (TM). */
export function isTime(text: string): boolean {
  return /^([01]\d|2[0-3])[0-5]\d([0-5]\d\d{0,2})?$/.test(text);
}

/** Whether `text` fits the date format qualifier (element 1250); unknown qualifiers fit anything. */
export function fitsDateFormat(qualifier: string, text: string): boolean {
  switch (qualifier) {
    case "D8":
      return readDate(text) !== null;
    case "RD8": {
      const [from, to, more] = text.split("-");
      return more === undefined && readDate(from) !== null && readDate(to) !== null;
    }
    case "DT":
      return readDate(text.slice(0, 8)) !== null && isTime(text.slice(8));
    case "TM":
      return isTime(text);
    default:
      return true;
  }
}
