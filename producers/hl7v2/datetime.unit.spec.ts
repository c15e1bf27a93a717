import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dateOf, formatInstant, instantOf, parseTimeStamp } from "./datetime.js";

const at = (text: string, zone = "UTC") => {
  const stamp = parseTimeStamp(text);
  return stamp && new Date(instantOf(stamp, zone)).toISOString();
};

describe("time stamps", () => {
  it.each([
    ["1961", "YEAR", "1961-01-01T00:00:00.000Z"],
    ["196102", "MONTH", "1961-02-01T00:00:00.000Z"],
    ["20240229", "DAY", "2024-02-29T00:00:00.000Z"],
    ["2024010112", "HOUR", "2024-01-01T12:00:00.000Z"],
    ["202401011230", "MINUTE", "2024-01-01T12:30:00.000Z"],
    ["20240101123059", "SECOND", "2024-01-01T12:30:59.000Z"],
    ["20240101120000.1239-0500", "MILLISECOND", "2024-01-01T17:00:00.123Z"],
    ["20240101+0530", "DAY", "2023-12-31T18:30:00.000Z"],
    ["00010101", "DAY", "0001-01-01T00:00:00.000Z"],
  ])("%s: %s, %s", (text, precision, instant) => {
    expect(parseTimeStamp(text)?.precision).toBe(precision);
    expect(at(text)).toBe(instant);
  });

  it.each([
    ["19890230"],
    ["20240102030405+9999"],
    ["20240102030405-0560"],
    ["20230229"],
    ["20240101235960"],
    ["2024010124"],
    ["202413"],
    ["yesterday"],
    ["20110613122406637"],
    ["2024-01-01"],
    ["202401011.5"],
    ["0000"],
    ["20240101+05"],
  ])("%s is none", (text) => expect(parseTimeStamp(text)).toBeUndefined());

  it("without an offset are on the wall clock of the sender's zone", () => {
    expect(at("20240115120000", "America/New_York")).toBe("2024-01-15T17:00:00.000Z");
    expect(at("20240715120000", "America/New_York")).toBe("2024-07-15T16:00:00.000Z");
    expect(at("20240715120000", "Australia/Lord_Howe")).toBe("2024-07-15T01:30:00.000Z");
    expect(at("20240115120000+0000", "America/New_York")).toBe("2024-01-15T12:00:00.000Z");
  });

  it("that the clock shows twice are the first showing; those it skips are the moment of the change", () => {
    expect(at("20241103013000", "America/New_York")).toBe("2024-11-03T05:30:00.000Z");
    expect(at("20240310023000", "America/New_York")).toBe("2024-03-10T07:00:00.000Z");
  });

  it('of the first and last years stay within them, as senders write "never"', () => {
    expect(at("99991231235959-0500")).toBe("9999-12-31T23:59:59.999Z");
    expect(at("99991231235959", "America/New_York")).toBe("9999-12-31T23:59:59.999Z");
    expect(at("00010101+1400")).toBe("0001-01-01T00:00:00.000Z");
    expect(at("99991231235959")).toBe("9999-12-31T23:59:59.000Z");
  });

  it("in the order they were written stay in that order", () => {
    const zone = fc.constantFrom(
      "America/New_York",
      "Europe/Berlin",
      "Africa/Casablanca",
      "Asia/Kolkata",
      "America/Sao_Paulo",
    );
    const wall = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2035, 0, 1) });
    const stamp = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, "");
    fc.assert(
      fc.property(zone, wall, fc.nat(8 * 3_600_000), (name, first, after) => {
        const [left, right] = [at(stamp(first), name) ?? "", at(stamp(first + after), name) ?? ""];
        expect(left <= right).toBe(true);
      }),
    );
  });

  it("keep their date at the precision given", () => {
    expect(
      ["1961", "196102", "19610203", "19610203110000"].map((text) => dateOf(parseTimeStamp(text) ?? never())),
    ).toEqual(["1961", "1961-02", "1961-02-03", "1961-02-03"]);
  });

  it("are written in UTC", () => expect(formatInstant(Date.UTC(2024, 0, 2, 3, 4, 5))).toBe("20240102030405+0000"));
});

function never(): never {
  throw new Error("not a time stamp");
}
