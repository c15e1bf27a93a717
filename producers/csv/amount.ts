/** How a partner writes amounts. */
export interface AmountFormat {
  readonly decimal: "." | ",";
  readonly grouping: "" | "," | "." | " " | "'";
  readonly negative: readonly ("minus" | "trailing-minus" | "parentheses")[];
  /** Signs that may stand before or after, e.g. `$`. */
  readonly currency: readonly string[];
}

export type AmountProblem = "CSV_AMOUNT" | "CSV_AMOUNT_FRACTION";

/** Most digits before the point: amounts are decimal(14,2). */
const mostDigits = 12;

/**
 * Reads an amount as integer cents, from its digits alone: never through a floating-point number.
 * @returns CSV_AMOUNT when it isn't one as agreed, CSV_AMOUNT_FRACTION when it has a part of a cent.
 */
export function readCents(text: string, format: AmountFormat): number | AmountProblem {
  const plain = plainCents(text, format.decimal);
  if (plain >= 0) return plain;
  let rest = text.trim();
  for (const sign of format.currency) {
    if (rest.startsWith(sign)) rest = rest.slice(sign.length).trim();
    else if (rest.endsWith(sign)) rest = rest.slice(0, -sign.length).trim();
  }
  const { negative, digits } = unsigned(rest, format);
  const point = digits.lastIndexOf(format.decimal);
  const whole = point < 0 ? digits : digits.slice(0, point);
  const fraction = point < 0 ? "" : digits.slice(point + 1);
  const units = ungrouped(whole, format.grouping);
  if (units === null || !/^\d*$/.test(fraction) || (point >= 0 && fraction === "")) return "CSV_AMOUNT";
  if (/[1-9]/.test(fraction.slice(2))) return "CSV_AMOUNT_FRACTION";
  const significant = units.replace(/^0+/, "");
  if (significant.length > mostDigits) return "CSV_AMOUNT";
  const cents = Number(significant + fraction.slice(0, 2).padEnd(2, "0"));
  return negative && cents !== 0 ? -cents : cents;
}

/** An amount of nothing but digits, the decimal sign and two digits, as most are; -1 for any other. */
function plainCents(text: string, decimal: string): number {
  const point = text.length - 3;
  if (point < 1 || point > mostDigits || text[point] !== decimal) return -1;
  let cents = 0;
  for (let at = 0; at < text.length; at++) {
    if (at === point) continue;
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    cents = cents * 10 + digit;
  }
  return cents;
}

function unsigned(text: string, { negative }: AmountFormat): { readonly negative: boolean; readonly digits: string } {
  if (negative.includes("parentheses") && /^\(.*\)$/.test(text)) return { negative: true, digits: text.slice(1, -1) };
  if (negative.includes("minus") && text.startsWith("-")) return { negative: true, digits: text.slice(1) };
  if (negative.includes("trailing-minus") && text.endsWith("-")) return { negative: true, digits: text.slice(0, -1) };
  return { negative: false, digits: text.startsWith("+") ? text.slice(1) : text };
}

/** The digits of a whole number. Groups, where there are any, must be of three. */
function ungrouped(text: string, grouping: AmountFormat["grouping"]): string | null {
  if (/^\d+$/.test(text)) return text;
  if (grouping === "") return null;
  const [first = "", ...groups] = text.split(grouping);
  return /^\d{1,3}$/.test(first) && groups.every((group) => /^\d{3}$/.test(group)) ? first + groups.join("") : null;
}
