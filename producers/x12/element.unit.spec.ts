import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instantOf } from "./clock.js";
import { cents, fitsDateFormat, isTime, readCents, readDate } from "./element.js";
import { money } from "./testing/money.js";

describe("amounts", () => {
  it.each([
    ["0", 0],
    ["100", 10000],
    ["100.5", 10050],
    [".45", 45],
    ["-210", -21000],
    ["-0", 0],
    ["605.0000", 60500],
    ["0000000000000012.30", 1230],
    ["999999999999.99", 99999999999999],
  ])("%s is read exactly", (text, expected) => {
    expect(readCents(text)).toEqual({ cents: expected });
  });

  it.each([
    ["1,234.5O", "character"],
    ["", "character"],
    [".", "character"],
    ["+5", "character"],
    ["1e5", "character"],
    ["1.005", "precision"],
    ["1000000000000", "size"],
  ])("%s is no amount: %s", (text, fault) => {
    expect(readCents(text)).toEqual({ fault });
    expect(cents(text)).toBeNull();
  });

  it("come back as they were written", () => {
    fc.assert(
      fc.property(fc.integer({ min: -99_999_999_999_999, max: 99_999_999_999_999 }), (amount) => {
        expect(readCents(money(amount))).toEqual({ cents: amount });
      }),
    );
  });
});

describe("dates and times", () => {
  it("reads days that exist, and no other", () => {
    expect(readDate("20240229")).toBe("2024-02-29");
    for (const none of ["20230229", "20002316", "20259999", "2024022", "", undefined])
      expect(readDate(none)).toBeNull();
  });

  it("checks the format that the qualifier names", () => {
    expect(fitsDateFormat("D8", "20240229")).toBe(true);
    expect(fitsDateFormat("RD8", "20240228-20240229")).toBe(true);
    expect(fitsDateFormat("RD8", "20240228")).toBe(false);
    expect(fitsDateFormat("DT", "202402291259")).toBe(true);
    expect(fitsDateFormat("DT", "202402292560")).toBe(false);
    expect(isTime("09460000")).toBe(true);
  });

  it("reads a clock time in the sender's zone", () => {
    expect(instantOf("99991231", "2359", "America/New_York")!.time).toBe(Date.parse("9999-12-31T23:59:59.999Z"));
    expect(instantOf("00500101", undefined, "UTC")!.time).toBe(Date.parse("0050-01-01T00:00:00Z"));
    expect(instantOf("20260301", "1430", "UTC")).toEqual({ time: Date.UTC(2026, 2, 1, 14, 30), precision: "MINUTE" });
    expect(instantOf("20260301", "1430", "America/New_York")!.time).toBe(Date.UTC(2026, 2, 1, 19, 30));
    expect(instantOf("20260701", "143059", "America/New_York")).toEqual({
      time: Date.UTC(2026, 6, 1, 18, 30, 59),
      precision: "SECOND",
    });
    expect(instantOf("20260701", "", "UTC")!.precision).toBe("DAY");
    expect(instantOf("20261301", "1200", "UTC")).toBeNull();
  });

  it("reads a skipped clock time as the moment of the change, a repeated one as its first showing", () => {
    expect(instantOf("20260308", "0230", "America/New_York")!.time).toBe(Date.UTC(2026, 2, 8, 7, 0));
    expect(instantOf("20261101", "0130", "America/New_York")!.time).toBe(Date.UTC(2026, 10, 1, 5, 30));
    expect(instantOf("20261101", "0030", "America/New_York")!.time).toBe(Date.UTC(2026, 10, 1, 4, 30));
  });
});
