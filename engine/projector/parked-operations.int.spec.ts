import { afterAll, beforeAll, expect, it } from "vitest";
import type { Pool } from "../store/pool.js";
import { chaosSize, recordChaos } from "../testing/chaos.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { mended, poisoned, poisonTopic, saying } from "../testing/poison.js";
import { memoryDecisions, ProjectionBench } from "../testing/projection-bench.js";
import { Decisions, type RequestedAction } from "./decisions.js";
import { PureFold } from "./pure.js";
import { requestDecisions, requestOutcomes } from "./requests.js";

let database: FreshDatabase;
const faults = { "calls at which the owner died": 0, "owners frozen between decision and statement": 0 };
let events = 0;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
  recordChaos({
    guarantee: "What an operator decides is carried out once, whoever dies",
    spec: "engine/projector/parked-operations.int.spec.ts",
    seeds: 0,
    kills: 0,
    faults,
    events,
    violations: 0,
  });
});

/** A build with a key parked at 1 and at 3 by then, its followers waiting. */
async function parkedBench(): Promise<ProjectionBench> {
  const pool = database.pool;
  await dropBuilds(pool, "sayings");
  const bench = await ProjectionBench.create(poisoned, pool);
  const line = (key: number, value: string) => saying(key, "line", value);
  bench.append([line(1, "a"), saying(1, "throw"), line(1, "b"), saying(2, "park"), line(1, "c"), line(2, "d")], {
    numberOfTimes: 2,
  });
  await bench.run({ batch: 2 });
  return bench;
}

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
async function expectFold(bench: ProjectionBench) {
  await bench.decisions.load();
  const pure = new PureFold(bench.layout.definition, { decisions: bench.decisions });
  for (const input of bench.inputs) pure.apply(input);
  for (const name of ["lines", "history"]) {
    const wanted = pure.rows(name).map(({ row }) => row);
    const built = (await bench.rows(name)).map(({ row }) => ({ ...wanted[0], ...row }));
    expect(sorted(built), name).toEqual(sorted(wanted));
  }
  events += bench.inputs.length;
}

const ask = (action: RequestedAction, offset: number) =>
  requestDecisions(database.pool, {
    projection: "sayings",
    action,
    places: [{ topic: poisonTopic, partition: 0, offset }],
    reason: "told so",
    by: "operator",
  });

class Died extends Error {}

/** A process that dies at a call, before or after it is done: no call of it does anything from then on. */
function mortal(bench: ProjectionBench, dieAt: number, isAfter: boolean) {
  let calls = 0;
  const call = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const number = calls++;
    if (number > dieAt || (number === dieAt && !isAfter)) throw new Died();
    const result = await work();
    if (number === dieAt) throw new Died();
    return result;
  };
  const query = (...parameters: unknown[]) =>
    call(() => (database.pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters));
  const kept = memoryDecisions(bench.decided);
  const log = {
    read: kept.read,
    append: (decided: Parameters<typeof kept.append>[0]) => call(() => kept.append(decided)),
  };
  return {
    pool: { query } as unknown as Pool,
    decisions: new Decisions(log, "sayings"),
    calls: () => calls,
  };
}

it.each(["retry", "skip"] as const)(
  "a %s ends the same at whatever call its owner dies",
  async (action) => {
    let died = 0;
    for (const isAfter of [false, true]) {
      // In the sample not every call, but every one of some action: the two begin at different ones.
      for (let dieAt = action === "skip" ? 0 : 1; ; dieAt += chaosSize(4, 1)) {
        const bench = await (await parkedBench()).with(mended);
        const ids = [...(await ask(action, 1)), ...(await ask(action, 3))];
        const { pool, decisions, calls } = mortal(bench, dieAt, isAfter);
        const lane = bench.lane(poisonTopic, 0, { pool, decisions });
        const dead = await lane
          .open()
          .then(() => lane.attend())
          .then(
            () => calls() > dieAt,
            () => true,
          );
        await bench.run();
        const outcomes = await requestOutcomes(database.pool, ids);
        expect(outcomes.map(({ state }) => state)).toEqual(["done", "done"]);
        expect(new Set(bench.decided.map(({ id }) => id))).toEqual(new Set(ids));
        await expectFold(bench);
        if (!dead) break;
        died++;
      }
    }
    expect(died).toBeGreaterThan(chaosSize(5, 20));
    faults["calls at which the owner died"] += died;
  },
  120_000,
);

it("an owner frozen after its decision changes nothing when another carried it out, and more was decided since", async () => {
  const bench = await parkedBench();
  const kept = memoryDecisions(bench.decided);
  let frozen = () => {};
  const isFrozen = new Promise<void>((resolve) => {
    frozen = resolve;
  });
  let goOn = () => {};
  const isResumed = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const slow = new Decisions(
    {
      read: kept.read,
      append: async (decided) => {
        frozen();
        await isResumed;
        await kept.append(decided);
      },
    },
    "sayings",
  );
  const [retry = ""] = await ask("retry", 1);
  const zombie = bench.lane(poisonTopic, 0, { decisions: slow });
  await zombie.open();
  const resumed = zombie.attend();
  await isFrozen;
  // Another owner retries, in vain, and is then told to skip.
  await bench.run();
  expect(await requestOutcomes(database.pool, [retry])).toMatchObject([{ state: "done" }]);
  const [skip = ""] = await ask("skip", 1);
  await bench.run();
  const before = await bench.rows("history");
  goOn();
  await resumed;
  await zombie.close();
  expect(await bench.rows("history")).toEqual(before);
  expect(bench.decided.map(({ id }) => id)).toEqual([retry, skip, retry]);
  faults["owners frozen between decision and statement"]++;
  // What was recorded first counts: a rebuild skips the event.
  const rebuilt = await bench.with(mended, { beside: true });
  await rebuilt.run();
  await expectFold(rebuilt);
  expect(rebuilt.decisions.decisionAt(poisonTopic, 0, 1)).toBe("skip");
  await expectFold(bench);
}, 60_000);

it("the last of several requests about an event counts", async () => {
  const bench = await parkedBench();
  const ids = [...(await ask("retry", 1)), ...(await ask("park", 1))];
  await bench.run();
  expect((await requestOutcomes(database.pool, ids)).map(({ state, outcome }) => [state, outcome])).toEqual([
    ["refused", "another request about this event came after it"],
    ["done", "stays parked"],
  ]);
  expect(bench.decided.map(({ action }) => action)).toEqual(["park"]);
  await expectFold(bench);
});

it("a build that is made while a request is under way takes part in it", async () => {
  const bench = await parkedBench();
  await ask("skip", 1);
  const other = await bench.with(mended, { beside: true });
  await other.run();
  await bench.run();
  expect(other.decided.map(({ action }) => action)).toEqual(["skip"]);
  await expectFold(other);
  await expectFold(bench);
});
