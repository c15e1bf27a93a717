import { ArrayParameter, type ElementType } from "./array-parameter.js";
import type { BinaryRows } from "./binary-rows.js";
import type { BinaryValues } from "./binary-values.js";
import type { Column, ColumnKind, ColumnValue } from "./definition.js";
import { quoted } from "./names.js";

/** How a kind of column looks in Postgres, and how values go there and come back. */
interface ColumnStore {
  readonly type: string;
  /** Element type of the array parameter that carries a batch of values. */
  readonly element: ElementType;
  /** From an element of that array to the column; the placeholder is `$`. */
  readonly put?: string;
  /** From the column to text that `read` takes; the placeholder is `$`. */
  readonly get: string;
  readonly write: (into: BinaryValues, value: never) => void;
  /** Element type of a list, which stands as it is where nothing can be made of its text: in a COPY. */
  readonly list?: ElementType;
  readonly read: (text: string) => ColumnValue;
}

const parse = (text: string) => JSON.parse(text) as ColumnValue;
const milliseconds = "(extract(epoch from $) * 1000)::bigint::text";
const writeText = (into: BinaryValues, value: string) => into.text(value);
/** Arrays of arrays must be rectangular, so a list travels as the text of one. */
const writeList = (into: BinaryValues, value: readonly string[]) => into.text(listLiteral(value));

const stores: Readonly<Record<ColumnKind, ColumnStore>> = {
  uuid: {
    type: "uuid",
    element: "uuid",
    get: "$::text",
    write: (into, value: string) => into.uuid(value),
    read: (text) => text,
  },
  text: { type: "text", element: "text", get: "$", write: writeText, read: (text) => text },
  "text[]": {
    type: "text[]",
    element: "text",
    put: "$::text[]",
    get: "to_json($)::text",
    write: writeList,
    list: "text",
    read: parse,
  },
  "uuid[]": {
    type: "uuid[]",
    element: "text",
    put: "$::uuid[]",
    get: "to_json($)::text",
    write: writeList,
    list: "uuid",
    read: parse,
  },
  integer: {
    type: "integer",
    element: "integer",
    get: "$::text",
    write: (into, value: number) => into.integer(value),
    read: Number,
  },
  bigint: {
    type: "bigint",
    element: "bigint",
    get: "$::text",
    write: (into, value: number) => into.bigint(value),
    read: Number,
  },
  boolean: {
    type: "boolean",
    element: "boolean",
    get: "$::text",
    write: (into, value: boolean) => into.boolean(value),
    read: (text) => text === "true",
  },
  money: {
    type: "numeric(14,2)",
    element: "numeric",
    get: "($ * 100)::bigint::text",
    write: (into, value: number) => into.cents(value),
    read: Number,
  },
  date: {
    type: "date",
    element: "date",
    get: "to_char($, 'YYYY-MM-DD')",
    write: (into, value: string) => into.date(value),
    read: (text) => text,
  },
  instant: {
    type: "timestamptz",
    element: "timestamptz",
    get: milliseconds,
    write: (into, value: number) => into.timestamptz(value),
    read: Number,
  },
  json: {
    type: "jsonb",
    element: "jsonb",
    get: "$::text",
    write: (into, value: ColumnValue) => into.jsonb(JSON.stringify(value)),
    read: parse,
  },
};

/** What only the fold reads is kept as the text it gave: cheaper to write, and never searched. */
const hiddenJson: ColumnStore = {
  ...stores.json,
  type: "json",
  element: "json",
  write: (into, value: ColumnValue) => into.text(JSON.stringify(value)),
};

const storeOf = (column: Column) => (column.kind === "json" && column.hidden ? hiddenJson : stores[column.kind]);

export const columnType = (column: Column): string => storeOf(column).type;

/** SQL type of the parameter that {@link columnParameter} makes. */
export const parameterType = (column: Column): string => `${storeOf(column).element}[]`;

/** An empty parameter for values of the column. @param expected bytes it will take, as far as the caller can guess. */
export const columnParameter = (column: Column, expected?: number): ArrayParameter =>
  new ArrayParameter(storeOf(column).element, expected);

/** What adds a value of the column to its parameter. */
export function valueWriter(column: Column): (into: BinaryValues, value: ColumnValue | undefined) => void {
  const write = storeOf(column).write as (into: BinaryValues, value: ColumnValue) => void;
  return (into, value) => {
    if (value === null || value === undefined) into.null();
    else write(into, value);
  };
}

/** What adds a value of the column to a row that is copied. */
export function fieldWriter(column: Column): (into: BinaryRows, value: ColumnValue | undefined) => void {
  const { list } = storeOf(column);
  if (!list) return valueWriter(column);
  return (into, value) => {
    if (value === null || value === undefined) into.null();
    else into.list(list, value as readonly string[]);
  };
}

/** A parameter of these values of the column. */
export function parameterOf(column: Column, values: Iterable<ColumnValue | undefined>): Buffer {
  const parameter = columnParameter(column);
  const write = valueWriter(column);
  for (const value of values) write(parameter, value);
  return ArrayParameter.joined([parameter]);
}

/** Expression that makes the column's value of an unnested array element. */
export const putExpression = (column: Column, element: string): string =>
  (storeOf(column).put ?? "$").replace("$", element);

/** Expression that reads the column as text for {@link readValue}; null stays null. */
export const getExpression = (column: Column, name: string, from = "t"): string =>
  storeOf(column).get.replace("$", `${from}.${quoted(name)}`);

export const readValue = (column: Column, text: string | null): ColumnValue =>
  text === null ? null : storeOf(column).read(text);

/** What {@link readValue} is in one call for many values of one column. */
export const valueReader = (column: Column): ((text: string | null) => ColumnValue) => {
  const { read } = storeOf(column);
  return (text) => (text === null ? null : read(text));
};

const special = /["\\]/g;

/** A Postgres array literal of texts. Every element is quoted, so that none can be taken for NULL or for syntax. */
function listLiteral(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(special, "\\$&")}"`).join(",")}}`;
}
