import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type Ground, prepareGround, type Simulated, simulate } from "../testing/simulation/simulation.js";
import { Hits } from "../testing/simulation/weather.js";

let database: FreshDatabase;
let ground: Ground;
beforeAll(async () => {
  database = await freshDatabase();
  ground = await prepareGround(database.pool);
});
afterAll(async () => {
  ground?.release();
  await database?.drop();
});

const told = ({ seed, trace, violation }: Simulated) =>
  `Seed ${seed}: ${violation?.message}\nRun it again with TRIBUTARY_SEED=${seed}. The last of ${trace.length} steps:\n${trace.slice(-60).join("\n")}`;

describe("a projecting consumer under simulated schedules", () => {
  const seeds = chaosSize(300, 10_000);

  it("applies every event exactly once, in order, and always comes to the end of the log", {
    timeout: seeds * 1_000,
  }, async () => {
    const hits = new Hits();
    let events = 0;
    for (let seed = firstSeed(); seed < firstSeed() + seeds; seed++) {
      const simulated = await simulate(seed, ground);
      if (simulated.violation) throw new Error(told(simulated), { cause: simulated.violation });
      hits.add(simulated.hits);
      events += simulated.events;
    }
    recordChaos({
      guarantee: "Any schedule of batches, repeats, rebalances and failures ends in the pure fold",
      spec: "engine/projector/simulation.int.spec.ts",
      seeds,
      kills: 0,
      faults: hits.figures(),
      events,
      violations: 0,
    });
  });

  it("takes the same decisions again for the same seed", async () => {
    for (let seed = firstSeed(); seed < firstSeed() + 5; seed++) {
      const { trace } = await simulate(seed, ground);
      expect(trace.length).toBeGreaterThan(100);
      expect((await simulate(seed, ground)).trace).toEqual(trace);
    }
  });
});
