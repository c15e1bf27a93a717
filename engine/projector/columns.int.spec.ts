import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPool, type Pool } from "../store/pool.js";
import {
  arrayLiteral,
  centsToDecimal,
  columnType,
  getExpression,
  parameterType,
  putExpression,
  readValue,
  writeValue,
} from "./columns.js";
import type { Column, ColumnKind, ColumnValue } from "./definition.js";
import { valueProblem, valuesEqual } from "./values.js";

let pool: Pool;
beforeAll(() => {
  pool = openPool(process.env.DATABASE_URL ?? "", { applicationName: "tributary spec", max: 1 });
});
afterAll(async () => {
  await pool?.end();
});

const awkward = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      "\\",
      "{",
      "}",
      ",",
      "N",
      "U",
      "L",
      " ",
      "\n",
      "\t",
      "'",
      "$",
      "\u0000",
      "é",
      "😀",
      "\ud800",
    ),
  }),
  fc.constantFrom("", "NULL", "null", "{}", '""', "\\", " leading"),
);
const values: Readonly<Record<ColumnKind, fc.Arbitrary<ColumnValue>>> = {
  uuid: fc.uuid(),
  text: awkward,
  "text[]": fc.array(awkward, { maxLength: 4 }),
  "uuid[]": fc.array(fc.uuid(), { maxLength: 3 }),
  integer: fc.integer(),
  bigint: fc.maxSafeInteger(),
  boolean: fc.boolean(),
  money: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -200, max: 200 })),
  date: fc
    .tuple(fc.integer({ min: 0, max: 9999 }), fc.integer({ min: 0, max: 13 }), fc.integer({ min: 0, max: 31 }))
    .map(
      ([year, month, day]) =>
        `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`,
    ),
  instant: fc.integer({ min: -62_200_000_000_000, max: 253_500_000_000_000 }),
  json: fc.jsonValue() as fc.Arbitrary<ColumnValue>,
};

async function throughPostgres(column: Column, given: readonly ColumnValue[]): Promise<ColumnValue[]> {
  const { rows } = await pool.query({
    text: `SELECT ${getExpression(column, "c")} FROM (SELECT (${putExpression(column, "u.c")})::${columnType(column)} AS c FROM unnest($1::${parameterType(column)}) WITH ORDINALITY AS u (c, n) ORDER BY n) t`,
    values: [arrayLiteral(given.map((value) => writeValue(column, value)))],
    rowMode: "array",
    types: { getTypeParser: () => (text: string) => text },
  });
  return rows.map(([text]) => readValue(column, text));
}

describe("values", () => {
  it.each(Object.keys(values) as ColumnKind[])(
    "of kind %s come back from Postgres as they went, or are refused before",
    async (kind) => {
      for (const hidden of kind === "json" ? [false, true] : [false]) {
        const column: Column = { kind, comment: "", hidden };
        await fc.assert(
          fc.asyncProperty(fc.array(fc.option(values[kind], { nil: null }), { maxLength: 30 }), async (all) => {
            const storable = all.filter((value) => value === null || valueProblem(column, false, value) === undefined);
            const read = await throughPostgres(column, storable);
            expect(read).toHaveLength(storable.length);
            read.forEach((value, index) => {
              if (!valuesEqual(value, storable[index])) expect(value).toEqual(storable[index]);
            });
          }),
          { numRuns: 60 },
        );
      }
    },
  );

  it("that Postgres would refuse are refused before", async () => {
    const refused: readonly (readonly [ColumnKind, ColumnValue])[] = [
      ["text", "a\0b"],
      ["json", { "a\0": 1 }],
      ["integer", 2 ** 31],
      ["money", 10 ** 14],
      ["date", "2025-02-29"],
      ["uuid", "x"],
      ["text[]", ["\0"]],
    ];
    for (const [kind, value] of refused) {
      expect(valueProblem({ kind, comment: "" }, false, value), kind).toBeDefined();
      await expect(throughPostgres({ kind, comment: "" }, [value]), kind).rejects.toMatchObject({
        code: expect.stringMatching(/^22/),
      });
    }
  });

  it("of money are exact decimals", () => {
    expect([0, 5, -5, 100, -12345, 2n ** 70n].map(centsToDecimal)).toEqual([
      "0.00",
      "0.05",
      "-0.05",
      "1.00",
      "-123.45",
      "11805916207174113034.24",
    ]);
  });
});
