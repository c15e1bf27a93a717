import type { Column, ColumnKind, ColumnValue } from "./definition.js";

/**
 * Which values a column can hold. Checked on every value a fold gives, before Postgres sees it: whether an event parks
 * must depend on event, row and definition alone, never on what else is in the batch.
 */

/** What is wrong with the value, without the value; undefined when the column can hold it. */
export type ValueProblem = string | undefined;

/** numeric(14,2), in cents. */
const largestMoney = 99_999_999_999_999;
/** 0001-01-01 to 9999-12-31, in epoch milliseconds: four-digit years, which every reader of a timestamp takes. */
const earliestInstant = -62_135_596_800_000;
const latestInstant = 253_402_300_799_999;
/** Below the limit of a B-tree entry, so that an index never refuses a row. */
export const indexedBytes = 2_000;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** In Node since 20, in the compiler's library later. */
type Text = string & { isWellFormed(): boolean };

const textProblem = (value: unknown): ValueProblem => {
  if (typeof value !== "string") return "is not text";
  return value.includes("\0") || !(value as Text).isWellFormed() ? "has a NUL or half a surrogate pair" : undefined;
};
const uuidProblem = (value: unknown): ValueProblem =>
  typeof value === "string" && uuidPattern.test(value) ? undefined : "is not a UUID in lower case";

const wholeBetween =
  (least: number, most: number, what: string) =>
  (value: unknown): ValueProblem => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || Object.is(value, -0)) return `is not ${what}`;
    return value < least || value > most ? `is beyond ${what}` : undefined;
  };

const listOf =
  (element: (value: unknown) => ValueProblem) =>
  (value: unknown): ValueProblem => {
    if (!Array.isArray(value)) return "is not a list";
    for (const part of value) {
      const problem = element(part);
      if (problem) return `has an element that ${problem}`;
    }
    return undefined;
  };

function dateProblem(value: unknown): ValueProblem {
  const parts = typeof value === "string" ? /^(\d{4})-(\d{2})-(\d{2})$/.exec(value) : null;
  if (!parts) return "is not a date YYYY-MM-DD";
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return year < 1 || days === undefined || day < 1 || day > days ? "is no day of the calendar" : undefined;
}

function jsonProblem(value: unknown, depth = 0): ValueProblem {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return textProblem(value);
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0) ? undefined : "has a number JSON can't hold";
  }
  if (typeof value !== "object" || depth > 64) return "is not JSON of at most 64 levels";
  if (Array.isArray(value)) {
    for (const part of value) {
      const problem = jsonProblem(part, depth + 1);
      if (problem) return problem;
    }
    return undefined;
  }
  for (const [name, part] of Object.entries(value)) {
    if (part === undefined) continue;
    const problem = textProblem(name) ?? jsonProblem(part, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

const problemsByKind: Readonly<Record<ColumnKind, (value: unknown) => ValueProblem>> = {
  uuid: uuidProblem,
  text: textProblem,
  "text[]": listOf(textProblem),
  "uuid[]": listOf(uuidProblem),
  integer: wholeBetween(-2_147_483_648, 2_147_483_647, "a 32-bit integer"),
  bigint: wholeBetween(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "an exact integer"),
  boolean: (value) => (typeof value === "boolean" ? undefined : "is not true or false"),
  money: wholeBetween(-largestMoney, largestMoney, "cents of numeric(14,2)"),
  date: dateProblem,
  instant: wholeBetween(earliestInstant, latestInstant, "epoch milliseconds of the years 1 to 9999"),
  json: (value) => jsonProblem(value),
};

/** What tells of a value that is not null what is wrong with it. */
export function valueCheck(column: Column, inKey: boolean): (value: unknown) => ValueProblem {
  const problemOf = problemsByKind[column.kind];
  if (column.kind !== "text" || !(column.values || inKey || column.indexed)) return problemOf;
  const values = column.values && new Set<string>(column.values);
  const limited = inKey || column.indexed === true;
  return (value) => {
    const problem = problemOf(value);
    if (problem !== undefined) return problem;
    const text = value as string;
    if (values && !values.has(text)) return "is none of the column's values";
    if (limited && text.length * 3 > indexedBytes && Buffer.byteLength(text) > indexedBytes) {
      return `is longer than ${indexedBytes} bytes in an index`;
    }
    return undefined;
  };
}

/** What is wrong with the texts of a row's key together. Each by itself is one that its column can hold. */
export function keyProblem(texts: readonly string[]): ValueProblem {
  let length = 0;
  for (const text of texts) length += text.length;
  if (length * 3 <= indexedBytes) return undefined;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes > indexedBytes ? `has a key longer than ${indexedBytes} bytes` : undefined;
}

/** @returns what is wrong with a value that is not null. */
export const valueProblem = (column: Column, inKey: boolean, value: unknown): ValueProblem =>
  valueCheck(column, inKey)(value);

/** Equal as stored: order of an object's names and names without a value don't count. */
export function valuesEqual(left: ColumnValue | undefined, right: ColumnValue | undefined): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || !left || !right) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((part, index) => valuesEqual(part, right[index]));
  }
  const [one, other] = [left as Record<string, ColumnValue>, right as Record<string, ColumnValue>];
  for (const name in one) if (!valuesEqual(one[name], other[name])) return false;
  for (const name in other) if (other[name] !== undefined && one[name] === undefined) return false;
  return true;
}
