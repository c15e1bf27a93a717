import { TributaryError } from "../service/errors.js";
import type { DerivedTable, Row } from "./definition.js";
import { indexedBytes, valueProblem } from "./values.js";

/** Rows of a derived table as it can hold them, by key, and those that it can't. */
export interface DerivedRows {
  readonly rows: ReadonlyMap<string, Row>;
  readonly leftOut: number;
  /** Why the first of them is: column and what is wrong, without the value. */
  readonly why: string | null;
}

/** The key of a derived row, as text. */
export const derivedKey = (derived: Pick<DerivedTable, "key">, row: Row): string =>
  derived.key.map((name) => String(row[name])).join("\0");

function problemOf(derived: DerivedTable, row: Row): string | undefined {
  let keyBytes = 0;
  for (const [name, column] of Object.entries(derived.columns)) {
    const value = row[name] ?? null;
    const inKey = derived.key.includes(name);
    const problem = value === null ? inKey && "has no value and is in the key" : valueProblem(column, inKey, value);
    if (problem) return `${name} ${problem}`;
    if (inKey && typeof value === "string") keyBytes += Buffer.byteLength(value);
  }
  return keyBytes > indexedBytes
    ? `${derived.key.join(", ")} together are longer than ${indexedBytes} bytes`
    : undefined;
}

/**
 * What of the rows that a definition derives its table can hold. One that it can't is left out and counted: what one
 * sender wrote must not hold back the rows of all others. It depends on the row and the definition alone, so live, rebuilt
 * and recomputed tables leave out the same.
 * @throws TRIB_PROJECT_VALUE_INVALID for a key given twice: which row counts, only the definition could say.
 */
export function holdable(name: string, derived: DerivedTable, given: readonly Row[]): DerivedRows {
  const rows = new Map<string, Row>();
  let leftOut = 0;
  let why: string | null = null;
  for (const row of given) {
    const problem = problemOf(derived, row);
    if (problem) {
      leftOut++;
      why ??= problem;
      continue;
    }
    const key = derivedKey(derived, row);
    if (rows.has(key)) {
      const twice = `Derived table ${name}: two rows of one key were derived.`;
      throw new TributaryError("TRIB_PROJECT_VALUE_INVALID", twice, { table: name });
    }
    rows.set(key, Object.fromEntries(Object.keys(derived.columns).map((column) => [column, row[column] ?? null])));
  }
  return { rows, leftOut, why };
}
