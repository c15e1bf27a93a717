import type { Column, ColumnKind, ColumnValue } from "./definition.js";
import { quoted } from "./names.js";

/** How a kind of column looks in Postgres, and how values go there and come back. */
interface ColumnStore {
  readonly type: string;
  /** Type of the array parameter that carries a batch of values. */
  readonly parameter: string;
  /** From an element of that array to the column; the placeholder is `$`. */
  readonly put?: string;
  /** From the column to text that `read` takes; the placeholder is `$`. */
  readonly get: string;
  /** As an element of an array literal, quotes not yet put. */
  readonly write: (value: never) => string;
  readonly read: (text: string) => ColumnValue;
}

/** Cents as numeric prints them. Text all the way: no float is ever made of money. */
export function centsToDecimal(cents: number | bigint): string {
  const negative = cents < 0;
  const digits = String(negative ? -cents : cents).padStart(3, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

const asText = (value: string | number) => String(value);
const json = (value: ColumnValue) => JSON.stringify(value);
const list = (value: readonly string[]) => arrayLiteral(value);
const parse = (text: string) => JSON.parse(text) as ColumnValue;
const milliseconds = "(extract(epoch from $) * 1000)::bigint::text";

const stores: Readonly<Record<ColumnKind, ColumnStore>> = {
  uuid: { type: "uuid", parameter: "uuid[]", get: "$::text", write: asText, read: (text) => text },
  text: { type: "text", parameter: "text[]", get: "$", write: asText, read: (text) => text },
  "text[]": {
    type: "text[]",
    parameter: "text[]",
    put: "$::text[]",
    get: "to_json($)::text",
    write: list,
    read: parse,
  },
  "uuid[]": {
    type: "uuid[]",
    parameter: "text[]",
    put: "$::uuid[]",
    get: "to_json($)::text",
    write: list,
    read: parse,
  },
  integer: { type: "integer", parameter: "integer[]", get: "$::text", write: asText, read: Number },
  bigint: { type: "bigint", parameter: "bigint[]", get: "$::text", write: asText, read: Number },
  boolean: { type: "boolean", parameter: "boolean[]", get: "$::text", write: String, read: (text) => text === "true" },
  money: {
    type: "numeric(14,2)",
    parameter: "numeric[]",
    get: "($ * 100)::bigint::text",
    write: centsToDecimal,
    read: Number,
  },
  date: { type: "date", parameter: "date[]", get: "to_char($, 'YYYY-MM-DD')", write: asText, read: (text) => text },
  instant: {
    type: "timestamptz",
    parameter: "timestamptz[]",
    get: milliseconds,
    write: (value: number) => new Date(value).toISOString(),
    read: Number,
  },
  json: { type: "jsonb", parameter: "jsonb[]", get: "$::text", write: json, read: parse },
};

/** What only the fold reads is kept as the text it gave: cheaper to write, and never searched. */
const hiddenJson: ColumnStore = { ...stores.json, type: "json", parameter: "json[]" };

const storeOf = (column: Column) => (column.kind === "json" && column.hidden ? hiddenJson : stores[column.kind]);

export const columnType = (column: Column): string => storeOf(column).type;
export const parameterType = (column: Column): string => storeOf(column).parameter;

/** Expression that makes the column's value of an unnested array element. */
export const putExpression = (column: Column, element: string): string =>
  (storeOf(column).put ?? "$").replace("$", element);

/** Expression that reads the column as text for {@link readValue}; null stays null. */
export const getExpression = (column: Column, name: string, from = "t"): string =>
  storeOf(column).get.replace("$", `${from}.${quoted(name)}`);

export const readValue = (column: Column, text: string | null): ColumnValue =>
  text === null ? null : storeOf(column).read(text);

/** Text of a value inside an array parameter; null is the array's NULL. */
export const writeValue = (column: Column, value: ColumnValue | undefined): string | null =>
  value === null || value === undefined ? null : storeOf(column).write(value as never);

const special = /["\\]/g;

/** A Postgres array literal of texts. Every element is quoted, so that none can be taken for NULL or for syntax. */
export function arrayLiteral(elements: Iterable<string | null>): string {
  let literal = "{";
  let first = true;
  for (const element of elements) {
    if (first) first = false;
    else literal += ",";
    if (element === null) literal += "NULL";
    else if (element.includes('"') || element.includes("\\")) literal += `"${element.replace(special, "\\$&")}"`;
    else literal += `"${element}"`;
  }
  return `${literal}}`;
}
