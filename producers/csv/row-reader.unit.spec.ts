import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Dialect, type Row, RowReader } from "./row-reader.js";
import { textsOf } from "./row-texts.js";

const usual: Dialect = { delimiter: ",", quote: '"', escape: "doubled", charset: "utf-8", rowLimit: 1_000_000 };

function read(bytes: Buffer, dialect: Dialect = usual, chunk = bytes.length || 1): Row[] {
  const reader = new RowReader(dialect);
  const rows: Row[] = [];
  const takeAll = () => {
    for (let row = reader.next(); row; row = reader.next()) rows.push(row);
  };
  for (let at = 0; at < bytes.length; at += chunk) {
    reader.feed(bytes.subarray(at, at + chunk));
    takeAll();
  }
  reader.finish();
  takeAll();
  return rows;
}
const texts = (rows: readonly Row[], dialect = usual) => rows.map((row) => textsOf(row, dialect.charset, dialect));
const written = (text: string, dialect = usual) => texts(read(Buffer.from(text), dialect), dialect);

const hostile = fc.string({ unit: fc.constantFrom("a", "é", "𝄞", ",", '"', "\n", "\r", " ", ";", "'", "1") });
const table = fc.array(fc.array(hostile, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 8 });
const quoted = (text: string) => (/[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text);
const lineEnd = fc.constantFrom("\r\n", "\n", "\r");

describe("rows", () => {
  it("are the ones that an independent reader finds, however the bytes arrive", () => {
    fc.assert(
      fc.property(table, lineEnd, fc.integer({ min: 1, max: 40 }), (cells, end, chunk) => {
        const bytes = Buffer.from(cells.map((row) => row.map(quoted).join(",") + end).join(""));
        const rows = read(bytes, usual, chunk);
        expect(texts(rows)).toEqual(cells);
        expect(texts(rows)).toEqual(parse(bytes, { relax_column_count: true, record_delimiter: ["\r\n", "\n", "\r"] }));
        expect(Buffer.concat(rows.map((row) => row.bytes)).equals(bytes)).toBe(true);
        expect(rows.every((row) => row.problem === null)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("are the same in UTF-16, cut anywhere", () => {
    const dialect: Dialect = { ...usual, charset: "utf-16le" };
    fc.assert(
      fc.property(table, lineEnd, fc.integer({ min: 1, max: 40 }), (cells, end, chunk) => {
        const bytes = Buffer.from(cells.map((row) => row.map(quoted).join(",") + end).join(""), "utf16le");
        expect(texts(read(bytes, dialect, chunk), dialect)).toEqual(cells);
      }),
    );
  });

  it("have the euro sign, quotes and dashes of windows-1252", () => {
    const dialect: Dialect = { ...usual, charset: "windows-1252" };
    const bytes = Buffer.from("80932091949920fc0a", "hex");
    expect(texts(read(bytes, dialect, 3), dialect)).toEqual([["€“ ‘”™ ü"]]);
  });

  it("cover every byte once, in order, whatever the bytes are", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(20, 1000),
        (bytes, chunk, rowLimit) => {
          const rows = read(Buffer.from(bytes), { ...usual, rowLimit }, chunk);
          let offset = 0;
          for (const row of rows) {
            expect(row.offset).toBe(offset);
            offset += row.bytes.length;
          }
          expect(Buffer.concat(rows.map((row) => row.bytes)).equals(Buffer.from(bytes))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("say on which line they begin, whatever stands in quotes before", () => {
    const rows = read(Buffer.from('a\r\n"x\r\ny\nz"\r\n\r\nb\nc\rd'));
    expect(rows.map(({ line }) => line)).toEqual([1, 2, 5, 6, 7, 8]);
  });

  it("with a misplaced quote are in error by themselves, and the next one isn't", () => {
    const rows = read(Buffer.from('1,a"b\n2,"c"d,"e"\n3,"f"\n'));
    expect(rows.map(({ problem }) => problem)).toEqual([
      { code: "CSV_QUOTE", field: 2 },
      { code: "CSV_QUOTE", field: 2 },
      null,
    ]);
  });

  it("after a quote that is never closed are part of the row in error", () => {
    const rows = read(Buffer.from('1,a\n2,"b\n3,c\n'));
    expect(rows.map(({ line, problem }) => [line, problem?.code])).toEqual([
      [1, undefined],
      [2, "CSV_QUOTE_UNCLOSED"],
    ]);
  });

  it("over the limit are given up in pieces that fit, with what follows", () => {
    const bytes = Buffer.from(`1,a\n2,"${"b".repeat(100)}\n3,c\n`);
    const rows = read(bytes, { ...usual, rowLimit: 30 }, 10);
    expect(rows.map(({ problem, continued }) => [problem?.code, continued]).slice(0, 3)).toEqual([
      [undefined, false],
      ["CSV_QUOTE_UNCLOSED", false],
      ["CSV_QUOTE_UNCLOSED", true],
    ]);
    expect(rows.every((row) => row.bytes.length <= 30)).toBe(true);
    const plain = read(Buffer.from(`${"x".repeat(100)}\n`), { ...usual, rowLimit: 30 }, 10);
    expect(plain[0]?.problem?.code).toBe("CSV_ROW_TOO_LONG");
  });

  it("may be written in other ways: delimiter, quote, no quotes, escapes by backslash", () => {
    expect(written("a|'b|c'|d\n", { ...usual, delimiter: "|", quote: "'" })).toEqual([["a", "b|c", "d"]]);
    expect(written('a\t"b\tc\n', { ...usual, delimiter: "\t", quote: "" })).toEqual([["a", '"b', "c"]]);
    expect(written('"a \\"b\\" \\\\",c\n', { ...usual, escape: "backslash" })).toEqual([['a "b" \\', "c"]]);
  });
});
