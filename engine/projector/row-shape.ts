import type { Row } from "./definition.js";
import type { ColumnLayout } from "./layout.js";
import { type ValueProblem, valuesEqual } from "./values.js";

/** A value, or a name of a column, that a fold should not have given. Names the place, never the value. */
export class RowProblem extends Error {
  override readonly name = "RowProblem";
}

/** What is done with every row of a table. */
export interface RowShape {
  /**
   * The row as given by a fold: every column there, in the definition's order, nulls for what was left out.
   * @throws RowProblem
   */
  take(row: Row): Row;
  /** Whether two rows taken are equal in all columns of the shape. */
  equal(left: Row, right: Row): boolean;
}

/**
 * Makes the shape of a table as code of its own, with the columns' names written out: values read and objects made by
 * names in variables cost several times as much, and a row is looked at for every event (docs/performance.md).
 * Names are those of a checked definition, and are quoted all the same.
 */
export function rowShape(table: string, columns: readonly ColumnLayout[]): RowShape {
  const names = columns.map(({ name }) => JSON.stringify(name));
  const taking = columns.map(({ inKey }, index) => {
    const absent = inKey ? `refuse(${index}, "is part of the key and has no value");` : "";
    return `
    let v${index} = row[${names[index]}];
    if (v${index} === undefined) { v${index} = null; ${absent} }
    else {
      given++;
      if (v${index} === null) { ${absent} }
      else {
        const problem = check${index}(v${index});
        if (problem !== undefined) refuse(${index}, problem);
      }
    }`;
  });
  const made = names.map((name, index) => `${name}: v${index}`).join(", ");
  const compared = names.map(
    (name) => `(left[${name}] === right[${name}] || valuesEqual(left[${name}], right[${name}]))`,
  );
  const source = `"use strict";
  ${columns.map((_, index) => `const check${index} = checks[${index}];`).join("\n  ")}
  return {
    take(row) {
      let given = 0;${taking.join("")}
      let named = 0;
      for (const name in row) named++;
      if (named !== given) refuseNames(row, given);
      return { ${made} };
    },
    equal: (left, right) => ${compared.join(" && ") || "true"},
  };`;
  const make = new Function("checks", "refuse", "refuseNames", "valuesEqual", source) as (
    checks: readonly ((value: unknown) => ValueProblem)[],
    refuse: (column: number, problem: string) => never,
    refuseNames: (row: Row, given: number) => void,
    equal: typeof valuesEqual,
  ) => RowShape;
  return make(
    columns.map(({ problemOf }) => problemOf),
    (column, problem) => {
      throw new RowProblem(`${table}.${columns[column]?.name} ${problem}`);
    },
    // A name without a value says nothing.
    (row, given) => {
      const named = Object.values(row).filter((value) => value !== undefined).length;
      if (named !== given) throw new RowProblem(`${table} was given a column it doesn't have, or the event's key`);
    },
    valuesEqual,
  );
}
