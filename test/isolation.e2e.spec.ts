import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { measureIsolation } from "../bench/isolation/run.js";
import { repositoryRoot } from "../engine/service/root.js";

const corpus = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");

describe("a connector that is flooded, fed with poison and killed", () => {
  it("leaves the answers and the rows of another one's partner as they are", { timeout: 120_000 }, async () => {
    // Every row of the neighbour is waited for, and counted after each stretch.
    const only = ["quiet", "flooded", "poisoned", "killed again and again"] as const;
    const stretches = await measureIsolation({ milliseconds: 1_200, rate: 30, corpus, only });
    expect(stretches.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(stretches.map(({ units }) => units)).toEqual(stretches.map(() => 36));
    const [quiet, flooded, poisoned, killed] = stretches;
    expect(quiet?.disturbed.sent).toBe(0);
    expect(flooded?.disturbed.answered).toBeGreaterThan(16);
    expect(poisoned?.disturbed.answered).toBeGreaterThan(4);
    expect(killed?.disturbed.kills).toBeGreaterThan(0);
    expect(killed?.disturbed.lost).toBeGreaterThan(0);
  });
});
