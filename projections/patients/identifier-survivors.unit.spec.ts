import { describe, expect, it } from "vitest";
import { identifierSurvivorsOf } from "./identifier-survivors.js";

/** `authority|type|value` */
const parts = (text: string) => text.split("|") as [string, string, string];
const idOf = (text: string) => `id:${text}`;

const merge = (from: string, to: string, time: number) => {
  const [old_authority, old_type, old_value] = parts(from);
  const [new_authority, new_type] = parts(to);
  return {
    patient_id: idOf(from),
    old_identifier_id: idOf(from),
    old_authority,
    old_type,
    old_value,
    new_identifier_id: idOf(to),
    new_authority,
    new_type,
    new_patient_id: idOf(to),
    stands: true,
    at: [time, 0, time, 0],
  };
};
const identifier = (text: string) => ({ patient_id: "p", identifier_id: idOf(text), value: parts(text)[2] });

/** Merges by time, and every identifier's value known. */
function survivors(merges: readonly (readonly [string, string])[], without: readonly string[] = []): string[] {
  const identifiers = merges.flat().filter((text) => !without.includes(text));
  const rows = merges.map(([from, to], index) => {
    const row = merge(from, to, index + 1);
    return without.includes(from) ? { ...row, old_value: null } : row;
  });
  return identifierSurvivorsOf(rows, identifiers.map(identifier)).map(
    (row) =>
      `${row.authority}|${row.type}|${row.value} > ${row.survivor_authority}|${row.survivor_type}|${row.survivor_value}`,
  );
}

describe("survivors of merged identifiers", () => {
  it("stand at the end of a chain", () => {
    expect(
      survivors([
        ["N|MR|1", "N|MR|2"],
        ["N|MR|2", "N|MR|3"],
      ]),
    ).toEqual(["N|MR|1 > N|MR|3", "N|MR|2 > N|MR|3"]);
  });

  it("are found through identifiers named without their type", () => {
    expect(
      survivors([
        ["N||1", "N|MR|2"],
        ["N||2", "N|MR|3"],
      ]),
    ).toEqual(["N||1 > N|MR|3", "N||2 > N|MR|3"]);
  });

  it("are none in a circle, on the way into one, or of a merge into itself", () => {
    const circle = [
      ["N|MR|1", "N|MR|2"],
      ["N|MR|2", "N|MR|1"],
      ["N|MR|0", "N|MR|1"],
    ] as const;
    expect(survivors(circle)).toEqual([]);
    expect(survivors([["N|MR|1", "N|MR|1"]])).toEqual([]);
    expect(
      survivors([
        ["N||1", "N|MR|1"],
        ["N|MR|1", "N|MR|2"],
      ]),
    ).toEqual(["N|MR|1 > N|MR|2"]);
  });

  it("are those of the latest merge", () => {
    expect(
      survivors([
        ["N|MR|1", "N|MR|2"],
        ["N||1", "N|MR|3"],
      ]),
    ).toEqual(["N|MR|1 > N|MR|3", "N||1 > N|MR|3"]);
  });

  it("are not shown without the values of both ends, yet a chain goes on", () => {
    const chain = [
      ["N|MR|1", "N|MR|2"],
      ["N|MR|2", "N|MR|3"],
    ] as const;
    expect(survivors(chain, ["N|MR|2"])).toEqual(["N|MR|1 > N|MR|3"]);
    expect(survivors(chain, ["N|MR|3"])).toEqual([]);
  });
});
