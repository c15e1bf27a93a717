import { describe, expect, it } from "vitest";
import { x12Amount } from "./money.js";
import { generateRegion } from "./region.js";

const region = generateRegion({ seed: "claims", patients: 900 });
const truth = region.truth();

interface Reading {
  billed?: number;
  frequency?: string;
  paid: number;
  last?: string;
  reference?: string;
}

const cents = (text: string): number => Math.round(Number(text || "0") * 100);

/** Sets of an interchange with their verdicts, each as its segments' elements. */
function acceptedSets(bytes: Buffer, answer: string): string[][][] {
  if (!answer.startsWith("999:")) return [];
  const verdicts = answer.slice(4).split(",");
  const sets = bytes
    .toString("latin1")
    .split(/~\n?(?=ST\*)/)
    .slice(1);
  return sets
    .filter((_, i) => verdicts[i] === "A")
    .map((set) => set.split(/~\n?/).map((segment) => segment.split("*")));
}

/** A second, naive reading: accepted sets in the order of their own clocks, reversals before payments of a day. */
function read(): { claims: Map<string, Reading>; numbers: Map<string, string> } {
  const facts: { clock: string; rank: number; apply: () => void }[] = [];
  const claims = new Map<string, Reading>();
  const numbers = new Map<string, string>();
  const of = (name: string): Reading => {
    const found = claims.get(name) ?? { paid: 0 };
    claims.set(name, found);
    return found;
  };
  for (const sender of ["clearing", "insurer"] as const)
    for (const { bytes, expectation } of region.deliveries(sender))
      for (const segments of acceptedSets(bytes, expectation.answer)) {
        const bht = segments.find(([id]) => id === "BHT");
        const day = segments.find(([id]) => id === "BPR")?.[16] ?? "";
        segments.forEach((segment, index) => {
          const [id, name = "", amount = "", paid = ""] = segment;
          if (id === "CLM") {
            const frequency = /[:>](\d)$/.exec(segment[5] ?? "")?.[1] ?? "";
            const next = segments[index + 1];
            const reference = next?.[0] === "REF" && next[1] === "F8" ? (next[2] ?? "") : "";
            const apply = (): void => void Object.assign(of(name), { billed: cents(amount), frequency, reference });
            facts.push({ clock: `${bht?.[4]}${bht?.[5]}`, rank: 1, apply });
          } else if (id === "CLP") {
            numbers.set(segment[7] ?? "", name);
            const apply = (): void => {
              const claim = of(name);
              claim.last = amount;
              claim.paid += cents(segment[4] ?? "");
            };
            facts.push({ clock: `${day}0000`, rank: amount === "22" ? 0 : 1, apply });
            expect(paid).not.toBe("");
          }
        });
      }
  facts.sort((a, b) => (a.clock < b.clock ? -1 : a.clock > b.clock ? 1 : a.rank - b.rank));
  for (const { apply } of facts) apply();
  return { claims, numbers };
}

describe("the truth about claims", () => {
  it("is what the interchanges say when they are put in the order of their clocks", () => {
    const { claims, numbers } = read();
    const replacedBy = new Map<string, string>();
    for (const [name, { reference }] of claims) {
      const old = numbers.get(reference ?? "");
      if (old !== undefined && old !== name) replacedBy.set(old, name);
    }
    expect(claims.size).toBe(truth.claims.length);
    for (const row of truth.claims) {
      const claim = claims.get(row.claim);
      expect(claim, row.claim).toBeDefined();
      expect(claim?.billed).toBe(row.billed);
      expect(claim?.frequency).toBe(row.frequencyCode);
      expect(claim?.paid).toBe(row.paid);
      const last = claim?.last;
      const said =
        last === undefined
          ? "submitted"
          : last === "22"
            ? "reversed"
            : last === "4"
              ? "denied"
              : row.paid > 0
                ? "paid"
                : "adjudicated";
      expect(replacedBy.has(row.claim) ? "replaced" : said).toBe(row.status);
      if (row.replaces !== null) expect(replacedBy.get(row.replaces)).toBe(row.claim);
    }
    expect(replacedBy.size).toBe(truth.claims.filter((row) => row.status === "replaced").length);
  });

  it("writes amounts as X12 does", () => {
    const written = ["0", "0.05", "0.5", "1", "12.34", "1234", "-0.5", "-1234.05"];
    expect([0, 5, 50, 100, 1234, 123400, -50, -123405].map(x12Amount)).toEqual(written);
  });
});
