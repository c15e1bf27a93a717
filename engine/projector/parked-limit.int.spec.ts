import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { poisoned, poisonTopic, saying } from "../testing/poison.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { listParked } from "./parked.js";
import { HeldHere } from "./parked-limit.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

it("no more keys are parked than may be, whatever lanes collect at the same time", async () => {
  const bench = await ProjectionBench.create(poisoned, database.pool);
  const [partitions, limit] = [8, 50];
  const heldHere = new HeldHere();
  const events = Array.from({ length: partitions * (limit - 1) }, (_, key) => saying(key, "throw"));
  bench.append(
    events.map((event, index) => ({ ...event, source: { ...event.source, partition: index % partitions } })),
  );
  const lanes = Array.from({ length: partitions }, (_, partition) =>
    bench.lane(poisonTopic, partition, { parkedLimit: limit, heldHere }),
  );
  await Promise.all(lanes.map((lane) => lane.open()));
  // More is known to come: they collect.
  const batches = lanes.map((lane, partition) =>
    lane.batch(bench.recordsOf(poisonTopic, partition), bench.context(2 * limit)),
  );
  const results = await Promise.allSettled(batches);
  const stopped = results.filter(({ status }) => status === "rejected");
  expect(stopped.length).toBeGreaterThan(0);
  for (const { reason } of stopped as PromiseRejectedResult[]) expect(reason.code).toBe("TRIB_PROJECT_TOO_MANY_PARKED");
  const going = lanes.filter((_, index) => results[index]?.status === "fulfilled");
  await Promise.all(going.map((lane) => lane.rest(bench.context(0))));
  await Promise.all(lanes.map((lane) => lane.close()));
  const parked = (await listParked(database.pool, { projection: "sayings" })).length;
  expect(parked).toBeGreaterThan(0);
  expect(parked).toBeLessThanOrEqual(limit);
});
