import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Decision,
  decide,
  type LatestContent,
  type LedgerEntry,
  type LedgerState,
  latestAfter,
} from "./ledger.js";

/** The ledger's tables as plain maps: what Postgres keeps, with the same rules of who comes first. */
class Tables {
  readonly first = new Map<string, { partition: number; offset: number }>();
  readonly latest = new Map<string, LatestContent>();
  readonly controls = new Map<string, { identity: string; offset: number }>();

  claim(partition: number, entries: readonly LedgerEntry[]): LedgerState {
    const before: LedgerState = {
      first: new Map(this.first),
      latest: new Map(this.latest),
      controls: new Map([...this.controls].map(([key, { identity }]) => [key, identity])),
    };
    for (const { rule, identity, offset, controlKey } of entries) {
      if (rule === "EVERY" && !this.first.has(identity)) this.first.set(identity, { partition, offset });
      if (controlKey !== null && !this.controls.has(controlKey)) this.controls.set(controlKey, { identity, offset });
    }
    return before;
  }

  advance(entries: readonly LedgerEntry[], decisions: readonly Decision[]): void {
    for (const [resource, content] of latestAfter(entries, decisions)) this.latest.set(resource, content);
  }
}

const entry = fc.record({
  rule: fc.constantFrom("EVERY" as const, "LATEST" as const),
  identity: fc.constantFrom("a", "b", "c", "d", "e"),
  resource: fc.constantFrom("r", "s"),
  controlKey: fc.option(fc.constantFrom("k", "l", "m"), { nil: null }),
});
const journal = fc.array(entry, { maxLength: 60 }).map((drafts) =>
  drafts.map(
    ({ rule, identity, resource, controlKey }, index): LedgerEntry => ({
      offset: index + 1,
      receiptId: `receipt ${index}`,
      rule,
      identity: `${rule} ${identity}`,
      resource: rule === "LATEST" ? resource : null,
      controlKey,
      origin: null,
    }),
  ),
);

/** The rules as a sentence each, over the whole journal at once. */
function model(entries: readonly LedgerEntry[]): { resend: boolean; reused: boolean }[] {
  return entries.map((one, index) => {
    const before = entries.slice(0, index);
    const predecessor = before.filter(({ rule, resource }) => rule === "LATEST" && resource === one.resource).at(-1);
    const resend =
      one.rule === "EVERY"
        ? before.some(({ rule, identity }) => rule === "EVERY" && identity === one.identity)
        : predecessor?.identity === one.identity;
    const named = before.find(({ controlKey }) => one.controlKey !== null && controlKey === one.controlKey);
    return { resend, reused: !resend && named !== undefined && named.identity !== one.identity };
  });
}

describe("decide", () => {
  it("judges as the rules say, in whatever batches, with any of them tried again and again", () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 })), { minLength: 1 });
    fc.assert(
      fc.property(journal, sizes, (entries, cuts) => {
        const tables = new Tables();
        const judged: { resend: boolean; reused: boolean }[] = [];
        for (let at = 0, turn = 0; at < entries.length; turn += 1) {
          const [size, tries] = cuts[turn % cuts.length] as [number, number];
          const batch = entries.slice(at, at + size);
          let decisions: readonly Decision[] = [];
          for (let time = 0; time < tries; time += 1) {
            // A try that is given up after its claim may have been of other size: another owner's batch.
            if (time > 0) tables.claim(0, entries.slice(at, at + size + time));
            decisions = decide(0, batch, tables.claim(0, batch));
          }
          tables.advance(batch, decisions);
          for (const { resendOf, reusedId } of decisions)
            judged.push({ resend: resendOf !== undefined, reused: reusedId });
          at += size;
        }
        expect(judged).toEqual(model(entries));
      }),
      { numRuns: 500 },
    );
  });

  it("calls it a resend when another partition was first", () => {
    const tables = new Tables();
    const one: LedgerEntry = {
      offset: 9,
      receiptId: "x",
      rule: "EVERY",
      identity: "a",
      resource: null,
      controlKey: null,
      origin: null,
    };
    expect(decide(0, [one], tables.claim(0, [one]))[0]?.resendOf).toBeUndefined();
    expect(decide(1, [one], tables.claim(1, [one]))[0]?.resendOf).toEqual({ partition: 0, offset: 9 });
    expect(decide(0, [one], tables.claim(0, [one]))[0]?.resendOf).toBeUndefined();
  });

  it("takes a unit that is translated again in its place: a later content stands before it", () => {
    const tables = new Tables();
    const publishes = (offset: number, identity: string, origin: number | null = null) => {
      const batch: LedgerEntry[] = [
        { offset, receiptId: `${offset}`, rule: "LATEST", identity, resource: "r", controlKey: null, origin },
      ];
      const decisions = decide(0, batch, tables.claim(0, batch));
      tables.advance(batch, decisions);
      return decisions[0]?.resendOf === undefined;
    };
    // A at 1 and C at 3 were rejected, B at 2 and D at 4 were not.
    expect(publishes(2, "B")).toBe(true);
    expect(publishes(10, "A", 1)).toBe(true);
    expect(publishes(11, "B")).toBe(false);
    expect(publishes(12, "C", 3)).toBe(true);
    expect(publishes(13, "C")).toBe(false);
    // In whatever order they are translated again, the later one stands.
    expect(publishes(14, "A", 1)).toBe(true);
    expect(publishes(15, "C")).toBe(false);
    expect(publishes(16, "A")).toBe(true);
  });
});
