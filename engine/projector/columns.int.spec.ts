import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyRows } from "../store/copy.js";
import { openPool, type Pool } from "../store/pool.js";
import { ArrayParameter } from "./array-parameter.js";
import { type BinaryRows, copyChunks } from "./binary-rows.js";
import {
  columnType,
  fieldWriter,
  getExpression,
  parameterOf,
  parameterType,
  putExpression,
  readValue,
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
    values: [parameterOf(column, given)],
    rowMode: "array",
    types: { getTypeParser: () => (text: string) => text },
  });
  return rows.map(([text]) => readValue(column, text));
}

async function throughCopy(column: Column, given: readonly ColumnValue[]): Promise<ColumnValue[]> {
  const client = await pool.connect();
  try {
    await client.query(`CREATE TEMP TABLE copied (n integer, c ${columnType(column)})`);
    const write = fieldWriter(column);
    const columns = [
      { name: "n", fill: (into: BinaryRows, [number]: readonly [number, ColumnValue]) => into.integer(number) },
      { name: "c", fill: (into: BinaryRows, [, value]: readonly [number, ColumnValue]) => write(into, value) },
    ];
    await copyRows(client, "copied", ["n", "c"], copyChunks(columns, given.entries()));
    const { rows } = await client.query({
      text: `SELECT ${getExpression(column, "c")} FROM copied t ORDER BY n`,
      rowMode: "array",
      types: { getTypeParser: () => (text: string) => text },
    });
    return rows.map(([text]) => readValue(column, text));
  } finally {
    await client.query("DROP TABLE IF EXISTS copied");
    client.release();
  }
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
            for (const through of [throughPostgres, throughCopy]) {
              const read = await through(column, storable);
              expect(read).toHaveLength(storable.length);
              read.forEach((value, index) => {
                if (!valuesEqual(value, storable[index])) expect(value).toEqual(storable[index]);
              });
            }
          }),
          { numRuns: 40 },
        );
      }
    },
  );

  it("are not lost where the buffer of their parameter grows", async () => {
    for (const kind of ["boolean", "date", "uuid", "money", "json"] as const) {
      const column: Column = { kind, comment: "" };
      const storable = fc
        .sample(values[kind], { seed: 1, numRuns: 3_000 })
        .filter((value) => value === null || valueProblem(column, false, value) === undefined);
      expect(await throughPostgres(column, storable), kind).toEqual(storable);
    }
  });

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
      const refusal = await throughPostgres({ kind, comment: "" }, [value]).catch((error: unknown) => error);
      const { code } = refusal as { code?: string };
      expect(code?.startsWith("22") || refusal instanceof RangeError, `${kind}: ${code}`).toBe(true);
    }
  });

  it("of sums are exact, however large", async () => {
    const sums = [0, 5, -5, 100, 10_000, -12_345, 1_000_000, 99_999_999_999_999, 2n ** 70n, -(10n ** 40n)];
    for (const [write, scale] of [
      ["cents", 100n],
      ["whole", 1n],
    ] as const) {
      const parameter = new ArrayParameter("numeric");
      for (const sum of sums) parameter[write](sum);
      const { rows } = await pool.query<{ sum: string }>(
        "SELECT (v * $2)::numeric(60)::text AS sum FROM unnest($1::numeric[]) v",
        [ArrayParameter.joined([parameter]), String(scale)],
      );
      expect(rows.map(({ sum }) => BigInt(sum))).toEqual(sums.map(BigInt));
    }
  });

  it("of several parameters are joined in their order, nulls too", async () => {
    const [one, other, none] = [new ArrayParameter("text"), new ArrayParameter("text"), new ArrayParameter("text")];
    one.text("a".repeat(5_000));
    other.null();
    other.text("é");
    const { rows } = await pool.query("SELECT $1::text[] AS joined", [ArrayParameter.joined([one, none, other])]);
    expect(rows[0].joined).toEqual(["a".repeat(5_000), null, "é"]);
    const { rows: empty } = await pool.query("SELECT unnest($1::text[])", [ArrayParameter.joined([none])]);
    expect(empty).toEqual([]);
  });
});
