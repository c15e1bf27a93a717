import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AmountFormat, readCents } from "./amount.js";
import { patternOf, readMoment } from "./moment.js";

const usual: AmountFormat = { decimal: ".", grouping: "", negative: ["minus"], currency: [] };
const european: AmountFormat = {
  decimal: ",",
  grouping: ".",
  negative: ["minus", "trailing-minus", "parentheses"],
  currency: ["€"],
};

describe("amounts", () => {
  it("of any size are read to the cent", () => {
    fc.assert(
      fc.property(fc.integer({ min: -99_999_999_999_999, max: 99_999_999_999_999 }), (cents) => {
        const digits = String(Math.abs(cents)).padStart(3, "0");
        const text = `${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
        expect(readCents(text, usual)).toBe(cents);
      }),
    );
  });

  it.each([
    ["704.20", usual, 70_420],
    ["0", usual, 0],
    ["-0.00", usual, 0],
    ["12.5", usual, 1_250],
    ["12.500", usual, 1_250],
    ["+7", usual, 700],
    ["1.234.567,89", european, 123_456_789],
    ["1.234,5-", european, -123_450],
    ["(12,00)", european, -1_200],
    ["€ 12", european, 1_200],
  ])("%s", (text, format, cents) => expect(readCents(text, format)).toBe(cents));

  it.each(["abc", "", "1,000.00", "1.", ".", "704,20", "1e3", "0x10", "١٢", "--1", "1 000", "9999999999999", "NaN"])(
    "refuses %j where nothing else is agreed",
    (text) => expect(readCents(text, usual)).toBe(text === "" || text === "." ? "CSV_AMOUNT" : "CSV_AMOUNT"),
  );

  it("never takes a point for thousands as one for cents, nor drops a part of a cent", () => {
    expect(readCents("1.23", european)).toBe("CSV_AMOUNT");
    expect(readCents("1.2345,00", european)).toBe("CSV_AMOUNT");
    expect(readCents("0.001", usual)).toBe("CSV_AMOUNT_FRACTION");
  });
});

describe("dates", () => {
  const read = (text: string, format: string, zone = "UTC") => readMoment(text, [patternOf(format)!], zone);

  it.each([
    ["31/12/2025", "DD/MM/YYYY", "2025-12-31"],
    ["2/3/2024", "M/D/YYYY", "2024-02-03"],
    ["20240229", "YYYYMMDD", "2024-02-29"],
    ["01.02.2024", "DD.MM.YYYY", "2024-02-01"],
  ])("%s by %s", (text, format, day) => expect(read(text, format)).toMatchObject({ day, precision: "DAY" }));

  it.each([
    ["31/02/2024", "DD/MM/YYYY"],
    ["2023-02-29", "YYYY-MM-DD"],
    ["2023-13-01", "YYYY-MM-DD"],
    ["0000-01-01", "YYYY-MM-DD"],
    ["2023-1-1", "YYYY-MM-DD"],
    ["2023-01-01T24:00:00", "YYYY-MM-DDTHH:mm:ss"],
    ["2023-01-01 ", "YYYY-MM-DD"],
    ["2023x01x01", "YYYY-MM-DD"],
  ])("refuses %s by %s", (text, format) => expect(read(text, format)).toBeNull());

  it("have their own offset, else the partner's zone", () => {
    expect(read("2026-07-01T12:00:00+02:00", "YYYY-MM-DDTHH:mm:ssZ")?.time).toBe(Date.UTC(2026, 6, 1, 10));
    expect(read("2026-07-01 12:00", "YYYY-MM-DD HH:mm", "America/New_York")?.time).toBe(Date.UTC(2026, 6, 1, 16));
    expect(read("2026-07-01T12:00:00.5Z", "YYYY-MM-DDTHH:mm:ss.SSSZ")?.time).toBe(Date.UTC(2026, 6, 1, 12, 0, 0, 500));
  });

  it.each(["YYYY-MM", "MM/DD/MM", "YYYY-MM-DD hh", "", "YYYYMMDDX"])("refuses the format %j", (format) => {
    expect(patternOf(format)).toBeNull();
  });
});
