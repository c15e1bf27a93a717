/** A place where the read models are not as the truth says. */
export interface Difference {
  readonly table: string;
  /** The natural name of the row. */
  readonly key: string;
  /** The column, or "row" where a whole row is missing or too much. */
  readonly column: string;
  readonly expected: unknown;
  readonly actual: unknown;
  /** Of a row that is too much: the partners that told of it, where the read model says. */
  readonly partners?: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Compares rows by key and column. A column whose expected value is `undefined` is not stated and not compared; columns
 * that the truth does not have are not looked at.
 */
export function compareRows(
  table: string,
  expected: ReadonlyMap<string, Values>,
  actual: ReadonlyMap<string, Values>,
): Difference[] {
  const differences: Difference[] = [];
  for (const [key, truth] of expected) {
    const found = actual.get(key);
    if (found === undefined) {
      differences.push({ table, key, column: "row", expected: truth, actual: undefined });
      continue;
    }
    for (const [column, value] of Object.entries(truth))
      if (value !== undefined && found[column] !== value)
        differences.push({ table, key, column, expected: value, actual: found[column] });
  }
  for (const [key, found] of actual)
    if (!expected.has(key)) {
      const { partners, ...actual } = found;
      const told = Array.isArray(partners) ? { partners: partners as readonly string[] } : {};
      differences.push({ table, key, column: "row", expected: undefined, actual, ...told });
    }
  return differences;
}

/** Puts rows under a key. Two rows of one key are told as a second row, `key#2`, and so found to be too much. */
export function keyed<T extends object>(rows: readonly T[], key: (row: T) => string): Map<string, T> {
  const map = new Map<string, T>();
  for (const row of rows) {
    let name = key(row);
    for (let copy = 2; map.has(name); copy++) name = `${key(row)}#${copy}`;
    map.set(name, row);
  }
  return map;
}
