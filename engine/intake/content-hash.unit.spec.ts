import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { contentHash } from "./content-hash.js";

const facts = (patientId: string, charge: number) => ({
  patientId,
  billedAmount: charge,
  lines: [{ lineNumber: 1, controlNumber: `keyed ${patientId}`, chargeAmount: charge }],
});
const clearHalf = (hash: string) => hash.slice(0, 16);

describe("the hash that decides ties", () => {
  it("orders the same facts alike whatever the installation's keyed ids are", () => {
    expect(clearHalf(contentHash(facts("a", 100)))).toBe(clearHalf(contentHash(facts("b", 100))));
    expect(clearHalf(contentHash(facts("a", 100)))).not.toBe(clearHalf(contentHash(facts("a", 101))));
  });

  it("tells apart what differs in keyed ids only", () => {
    expect(contentHash(facts("a", 100))).not.toBe(contentHash(facts("b", 100)));
    expect(contentHash(facts("a", 100))).toBe(contentHash(facts("a", 100)));
  });

  it("is that of the facts as JSON, the clear ones first", () => {
    const all = {
      patientId: "a",
      paid: -0,
      charge: 12_345,
      big: 1e21,
      share: null,
      odd: Number.NaN,
      balanced: true,
      note: 'é "x"',
    };
    const { patientId: _, ...clear } = all;
    const halves = [clear, all].map((part) => createHash("sha256").update(JSON.stringify(part)).digest("hex"));
    expect(contentHash(all)).toBe(halves.map((half) => half.slice(0, 16)).join(""));
  });
});
