import { describe, expect, it } from "vitest";
import { replacementsOf } from "./replacements.js";

const known = (claim_id: string, number: string, at: number) => ({ claim_id, relation: "known", number, at });
const replaces = (claim_id: string, number: string, at: number) => ({ claim_id, relation: "replaces", number, at });
/** `a>b`: a replaces b; `a*`: a is replaced. */
const shown = (...numbers: Parameters<typeof replacementsOf>[0]) =>
  replacementsOf(numbers).map(
    ({ claim_id, status, replaces_claim_id, replaced_by_claim_id }) =>
      `${claim_id}${status ? "*" : ""}${replaces_claim_id ? `>${replaces_claim_id}` : ""}${replaced_by_claim_id ? `<${replaced_by_claim_id}` : ""}`,
  );

describe("replacements", () => {
  it("go by the number that an answer gave the old claim", () => {
    expect(shown(known("a", "1", 1), replaces("b", "1", 2))).toEqual(["a*<b", "b>a"]);
  });

  it("are none while nobody answered under the number, however many name it", () => {
    expect(shown(replaces("a", "1", 1), replaces("b", "1", 2))).toEqual([]);
  });

  it("are none of the claim itself", () => {
    expect(shown(known("a", "1", 1), replaces("a", "1", 2))).toEqual([]);
  });

  it("leave the number with the claim that had it first", () => {
    expect(shown(known("b", "1", 3), known("a", "1", 1), replaces("b", "1", 2))).toEqual(["a*<b", "b>a"]);
    expect(shown(known("b", "1", 1), known("a", "1", 1), replaces("b", "1", 2))).toEqual(["a*<b", "b>a"]);
  });

  it("make chains, each claim replaced by the one after it", () => {
    const chain = [known("a", "1", 1), known("b", "2", 3), replaces("b", "1", 2), replaces("c", "2", 4)];
    expect(shown(...chain)).toEqual(["a*<b", "b*>a<c", "c>b"]);
  });

  it("show the latest where there are several", () => {
    expect(shown(known("a", "1", 1), replaces("b", "1", 3), replaces("c", "1", 2))).toEqual(["a*<b", "b>a", "c>a"]);
    expect(shown(known("a", "1", 1), known("b", "2", 1), replaces("c", "1", 3), replaces("c", "2", 2))).toEqual([
      "a*<c",
      "b*<c",
      "c>a",
    ]);
  });
});
