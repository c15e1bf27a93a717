import { describe, expect, it } from "vitest";
import { bounded, endlessDeliveries, paced } from "./load.js";

describe("load", () => {
  it("goes on over the end of a region with messages never seen before", () => {
    const options = { seed: "load", patients: 20 };
    const all = [...bounded(endlessDeliveries(options), 2000)];
    expect(all).toHaveLength(2000);
    const fresh = all.filter((one) => one.expectation.accepted && !one.expectation.resend);
    expect(new Set(fresh.map((one) => one.bytes.toString("latin1"))).size).toBe(fresh.length);
    const records = (from: number, to: number): Set<string> =>
      new Set(
        all.slice(from, to).flatMap((one) => one.bytes.toString("latin1").match(/[NSP]\d{6}(?=\^\^\^\w+\^MR)/g) ?? []),
      );
    const later = records(1500, 2000);
    expect([...records(0, 150)].filter((record) => later.has(record))).toEqual([]);
  });

  it("is the same load for the same seed", () => {
    const bytes = (): Buffer =>
      Buffer.concat([...bounded(endlessDeliveries({ seed: "s", patients: 10 }), 300)].map((one) => one.bytes));
    expect(bytes().equals(bytes())).toBe(true);
    expect([...bounded(endlessDeliveries({ seed: "s" }), 0)]).toEqual([]);
  });

  it("keeps to its rate, and catches up after a slow consumer", async () => {
    const began = performance.now();
    let given = 0;
    for await (const value of paced(bounded(endlessDeliveries({ seed: "p", patients: 5 }), 20), 200)) {
      given += value.expectation.units;
      // Never early: the n-th is due at n / rate. Two milliseconds for the timer's grain.
      expect(performance.now() - began).toBeGreaterThanOrEqual(((given - 1) * 1000) / 200 - 2);
    }
    expect(given).toBe(20);
    await expect(paced([1], 0).next()).rejects.toThrow(/rate must be above 0/);
  });
});
