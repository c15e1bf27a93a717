import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { anySayings, isBroken, mended, poisoned, poisonKey, poisons, poisonTopic, saying } from "../testing/poison.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { allow, refuse } from "../testing/refusal.js";
import type { EventPlace } from "./decisions.js";
import type { FoldInput } from "./fold.js";
import { listParked } from "./parked.js";
import { PureFold } from "./pure.js";
import { requestDecisions, requestOutcomes } from "./requests.js";
import { verifyProjection } from "./verify.js";

const seed = firstSeed();
const checked = { events: 0, parked: 0, retried: 0, skipped: 0, seeds: 0 };
let database: FreshDatabase;
let bench: ProjectionBench;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
  recordChaos({
    guarantee: "Poison parks its key only",
    spec: "engine/projector/parking.int.spec.ts",
    seeds: checked.seeds,
    kills: 0,
    faults: { "events parked": checked.parked, "keys retried": checked.retried, "events skipped": checked.skipped },
    events: checked.events,
    violations: 0,
  });
});

/** An empty current build, with what Postgres alone refuses. */
async function freshBench(): Promise<ProjectionBench> {
  await dropBuilds(database.pool, "sayings");
  return ProjectionBench.create(poisoned, database.pool);
}
beforeEach(async () => {
  bench = await freshBench();
});

const placeAt = (offset: number): EventPlace => ({ topic: poisonTopic, partition: 0, offset });
const parkedNow = () => listParked(database.pool, { projection: "sayings" });

async function ask(action: "retry" | "skip" | "park", offsets: readonly number[], reason = "told so") {
  const places = offsets.map(placeAt);
  return requestDecisions(database.pool, { projection: "sayings", action, places, reason, by: "operator" });
}

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

/** Compares all tables with the pure fold of these events; gives the fold. */
async function expectFold(of: ProjectionBench, inputs: readonly FoldInput[] = of.inputs) {
  const pure = new PureFold(of.layout.definition, { decisions: of.decisions });
  const why = { code: "TRIB_PROJECT_EVENT_UNDECODABLE" as const, reason: "" };
  for (const input of inputs) pure.apply(undecodable.has(input.source.offset) ? { ...input, undecodable: why } : input);
  for (const { name, kind } of of.layout.tables) {
    const wanted = pure.rows(name).map(({ row, source }) => ({
      row,
      source: source && (kind === "keyed" ? source : { ...source, recordedAt: 0 }),
    }));
    const built = await of.rows(name);
    const inOrder = built.map(({ row, source }) => ({ row: { ...wanted[0]?.row, ...row }, source }));
    expect(sorted(inOrder), name).toEqual(sorted(wanted));
  }
  checked.events += inputs.length;
  return pure;
}
const verified = (of: ProjectionBench) => {
  const { build, decisions, pool } = of;
  return verifyProjection({ projection: mended, build, decisions, pool, log: of, decoder: of, opener: of });
};

/** Offsets whose bytes are broken or whom Postgres refuses: no fold can know. */
const undecodable = new Set<number>();
beforeEach(() => undecodable.clear());

/** Appends events of which every one with broken bytes is known to `expectFold`. */
function append(events: readonly FoldInput[], numberOfTimes = 1) {
  const from = bench.recordsOf(poisonTopic, 0).length;
  events.forEach((event, index) => {
    if (isBroken(event)) undecodable.add(from + index);
  });
  bench.append(events, { numberOfTimes, undecodable: isBroken });
}

describe("poison of every kind", () => {
  it("parks its own key; mended and retried, all rows are what they would have been, in order", async () => {
    await refuse(bench);
    const others = [90, 91, 92];
    const before = poisons.map((_, key) => saying(key, "set", `before ${key}`));
    append(before);
    append(
      poisons.flatMap((poison, key) => [
        saying(key, poison, `poison ${key}`),
        saying(others[key % 3] as number, "line", `${key}`),
      ]),
    );
    append(poisons.flatMap((_, key) => [saying(key, "line", "after"), saying(key, "line", `last ${key}`)]));
    append([saying(90, "set", "flows")]);
    await bench.run({ batch: 7 });

    const held = await parkedNow();
    expect(held.map(({ key }) => key)).toEqual(poisons.map((_, key) => poisonKey(key)));
    for (const { offset, code } of held) if (code === "TRIB_PROJECT_WRITE_REFUSED") undecodable.add(offset);
    expect(new Set(held.map(({ code }) => code))).toEqual(
      new Set([
        "TRIB_PROJECT_FOLD_FAILED",
        "TRIB_PROJECT_FOLD_PARKED",
        "TRIB_PROJECT_VALUE_INVALID",
        "TRIB_PROJECT_WRITE_REFUSED",
        "TRIB_PROJECT_EVENT_UNDECODABLE",
      ]),
    );
    const pure = await expectFold(bench);
    expect(pure.parked.map(({ offset }) => offset)).toEqual(held.map(({ offset }) => offset));
    const said = (await bench.rows("sayings")).map(({ row }) => row.said);
    for (const key of poisons.keys()) expect(said).toContain(`before ${key}`);
    checked.parked += held.length;

    // Retried too early, they park again where they were.
    const early = await ask(
      "retry",
      held.map(({ offset }) => offset),
    );
    await bench.run();
    for (const { state, outcome } of await requestOutcomes(database.pool, early)) {
      expect(state).toBe("done");
      expect(outcome).toMatch(/^0 events applied; parked again at .*: TRIB_PROJECT_/);
    }
    expect((await parkedNow()).map(({ offset, code }) => [offset, code])).toEqual(
      held.map(({ offset, code }) => [offset, code]),
    );
    await expectFold(bench);

    await allow(bench);
    bench.mend();
    undecodable.clear();
    const right = await bench.with(mended);
    const late = await ask(
      "retry",
      held.map(({ offset }) => offset),
    );
    await right.run();
    const outcomes = await requestOutcomes(database.pool, late);
    expect(outcomes.map(({ state, outcome }) => [state, outcome])).toEqual(
      held.map(() => ["done", "3 events applied"]),
    );
    expect(await parkedNow()).toEqual([]);
    await expectFold(right);
    expect(right.decided.map(({ action }) => action)).toEqual([...held, ...held].map(() => "retry"));
    // What Postgres refused once, and took by now, is not taken for refused.
    expect(await verified(right)).toMatchObject({ differences: [], parkedKeys: 0 });
    checked.retried += held.length;

    append([saying(0, "set", "last"), saying(3, "line", "after")]);
    await right.run();
    await expectFold(right);
  }, 60_000);

  it("of 50 MB is applied like any other, alone and between others", async () => {
    const big = "x".repeat(50_000_000);
    append([
      saying(1, "set", "small"),
      saying(2, "set", big),
      saying(2, "throw"),
      saying(2, "set", "late"),
      saying(3, "set"),
    ]);
    await bench.run();
    const { rows } = await database.pool.query(
      `SELECT length(said) AS long, md5(said) AS hash FROM ${bench.build.schema}.sayings ORDER BY visit_id`,
    );
    expect(rows.map(({ long }) => long)).toEqual([5, 50_000_000, 3]);
    expect((await parkedNow()).map(({ offset }) => offset)).toEqual([2]);
    const right = await bench.with(mended);
    await ask("retry", [2]);
    await right.run();
    await expectFold(right);
    expect(await parkedNow()).toEqual([]);
  }, 60_000);

  it("parks at the later event when only the first was mended, and Postgres says which one it refuses", async () => {
    await refuse(bench);
    append([saying(1, "bytes"), saying(2, "set")]);
    append(["a", "b", "c"].map((line) => saying(1, "line", line)));
    append([saying(1, "constraint"), saying(1, "line", "d")]);
    await bench.run();
    bench.mend();
    undecodable.clear();
    // With this definition the broken event still parks by itself: it is skipped.
    const [decision = ""] = await ask("skip", [0]);
    await bench.run();
    expect(await requestOutcomes(database.pool, [decision])).toMatchObject([
      {
        state: "done",
        outcome: `skipped; 3 events applied; parked again at ${poisonTopic}/0/5: TRIB_PROJECT_WRITE_REFUSED`,
      },
    ]);
    undecodable.add(5);
    await expectFold(bench);
    expect(await parkedNow()).toMatchObject([{ offset: 5, code: "TRIB_PROJECT_WRITE_REFUSED" }]);
    await ask("skip", [5]);
    await bench.run();
    undecodable.clear();
    await expectFold(bench);
    expect(await parkedNow()).toEqual([]);
    checked.skipped += 2;
  }, 60_000);
});

describe("a skipped event", () => {
  it("is recorded with who and why, and every later build and verification leaves it out", async () => {
    append([saying(1, "set", "one"), saying(1, "throw"), saying(1, "line", "two"), saying(2, "set", "three")]);
    await bench.run();
    await ask("skip", [1], "sent by mistake");
    await bench.run();
    expect(bench.decided).toMatchObject([
      {
        action: "skip",
        projection: "sayings",
        topic: poisonTopic,
        partition: 0,
        offset: 1,
        reason: "sent by mistake",
        actor: "operator",
        key: poisonKey(1),
      },
    ]);
    await expectFold(bench);
    // A definition that would apply it now doesn't.
    const rebuilt = await bench.with(mended, { beside: true });
    await rebuilt.run({ batch: 2 });
    await expectFold(rebuilt);
    expect(sorted(await rebuilt.rows("history"))).toEqual(sorted(await bench.rows("history")));
    expect(await verified(bench)).toMatchObject({ events: 4, differing: 0 });
    checked.skipped++;
  });

  it("needs a reason", async () => {
    await expect(ask("skip", [1], "")).rejects.toMatchObject({ code: "23514" });
    const places = [placeAt(1)];
    const noReason = { projection: "sayings", action: "park" as const, places, by: "operator" };
    await expect(requestDecisions(database.pool, noReason)).rejects.toMatchObject({ code: "23514" });
  });

  it("is refused where nothing is parked, and nothing is recorded", async () => {
    append([saying(1, "set", "one"), saying(2, "set", "two"), saying(3, "set", "three")]);
    await bench.run();
    const ids = [...(await ask("skip", [0])), ...(await ask("retry", [1])), ...(await ask("park", [2]))];
    await bench.run();
    expect((await requestOutcomes(database.pool, ids)).map(({ state, outcome }) => [state, outcome])).toEqual([
      ["refused", "nothing is parked there"],
      ["refused", "nothing is parked there"],
      ["refused", "the event was handled already"],
    ]);
    expect(bench.decided).toEqual([]);
    await expectFold(bench);
  });
});

describe("an event that stops the projection", () => {
  it("of an unknown schema parks nothing by itself, and its key only when an operator decides it", async () => {
    append([saying(1, "set", "one")]);
    const strange = saying(1, "set", "strange");
    bench.append([strange], { unknown: () => true });
    append([saying(2, "set", "two"), saying(1, "line", "three")]);
    await expect(bench.run()).rejects.toMatchObject({ code: "TRIB_PROJECT_SCHEMA_UNKNOWN", facts: { offset: 1 } });
    expect(await parkedNow()).toEqual([]);
    await ask("park", [1], "its schema comes next week");
    await bench.run();
    expect(await parkedNow()).toMatchObject([
      { offset: 1, code: "TRIB_PROJECT_PARKED_BY_OPERATOR", key: poisonKey(1) },
    ]);
    await expectFold(bench);
    const rebuilt = await bench.with(poisoned, { beside: true });
    await rebuilt.run();
    await expectFold(rebuilt);
    expect(sorted(await rebuilt.rows("history"))).toEqual(sorted(await bench.rows("history")));

    // Retried while it is still unknown: given back, and still parked.
    const [early = ""] = await ask("retry", [1]);
    await bench.run();
    expect(await requestOutcomes(database.pool, [early])).toMatchObject([
      { state: "refused", outcome: "TRIB_LOG_UNKNOWN_SCHEMA" },
    ]);
    bench.mend();
    await ask("retry", [1]);
    await bench.run();
    expect(await parkedNow()).toEqual([]);
    await expectFold(bench);
    expect(bench.decisions.of(poisonTopic, 0).size).toBe(0);
    checked.retried++;
  });

  it("goes on as soon as it is decided while it waits for the schema", async () => {
    bench.append([saying(1, "set", "strange")], { unknown: () => true });
    append([saying(2, "set", "two")]);
    const lane = bench.lane(poisonTopic, 0, { schemaAttempts: 1_000 });
    const from = await lane.open();
    const done = lane.batch(bench.recordsOf(poisonTopic, 0).slice(from), bench.context(2));
    await expect.poll(() => bench.messages.includes("waiting to learn a schema")).toBe(true);
    await ask("park", [0]);
    await done;
    await lane.close();
    expect(await parkedNow()).toMatchObject([{ offset: 0, code: "TRIB_PROJECT_PARKED_BY_OPERATOR" }]);
    await expectFold(bench);
  });

  it("because too many keys are parked is not written, nor what comes after it, until it is mended or decided", async () => {
    append([0, 1, 2, 3].flatMap((key) => [saying(key, "throw"), saying(key + 10, "set")]));
    const stopped = { code: "TRIB_PROJECT_TOO_MANY_PARKED" };
    await expect(bench.run({ parkedLimit: 2, batch: 2 })).rejects.toMatchObject({ ...stopped, facts: { offset: 4 } });
    expect((await parkedNow()).map(({ offset }) => offset)).toEqual([0, 2]);
    await expectFold(bench, bench.inputs.slice(0, 4));
    await ask("park", [4]);
    await expect(bench.run({ parkedLimit: 2, batch: 8 })).rejects.toMatchObject({ ...stopped, facts: { offset: 6 } });
    await expectFold(bench, bench.inputs.slice(0, 6));
    const right = await bench.with(mended);
    await ask("retry", [0, 2]);
    await right.run({ parkedLimit: 2 });
    await expectFold(right);
    expect((await parkedNow()).map(({ offset }) => offset)).toEqual([4]);
  });
});

it("random poison, decisions, repetitions and restarts leave the pure fold of log and decisions", async () => {
  const numRuns = chaosSize(10, 500);
  await fc.assert(
    fc.asyncProperty(
      anySayings,
      fc.array(fc.tuple(fc.constantFrom("retry", "skip", "park"), fc.nat(), fc.boolean()), { maxLength: 12 }),
      fc.integer({ min: 1, max: 20 }),
      async (plan, operations, batch) => {
        bench = await freshBench();
        undecodable.clear();
        let definition = bench;
        const pieces = operations.length + 1;
        const events = plan.map(({ key, act, value, journalPartition }) => saying(key, act, value, journalPartition));
        const size = Math.ceil(events.length / pieces);
        for (let piece = 0; piece < pieces; piece++) {
          append(events.slice(piece * size, (piece + 1) * size), 1 + (piece % 2));
          const [action, which, isAhead] = operations[piece] ?? ["retry", 0, false];
          const held = await parkedNow();
          const one = held[which % Math.max(1, held.length)];
          const end = bench.recordsOf(poisonTopic, 0).length;
          if (action === "park" && isAhead) {
            // Of the events to come; those already handled are refused.
            const offset = Math.max(0, end - 1 - (which % (size + 1)));
            if (bench.inputs.some(({ source }) => source.offset === offset)) await ask("park", [offset]);
          } else if (one) await ask(action, [one.offset]);
          await definition.run({ batch });
          await expectFold(definition);
          checked.parked += held.length;
          if (one && action === "retry") checked.retried++;
          if (one && action === "skip") checked.skipped++;
        }
        const rebuilt = await definition.with(poisoned, { beside: true });
        await rebuilt.run({ batch: 13 });
        const pure = await expectFold(rebuilt);
        const inBuild = (build: number) =>
          database.pool.query(
            "SELECT log_offset, key FROM engine.parked_keys WHERE build = $1 AND state <> 'done' ORDER BY log_offset",
            [build],
          );
        const { rows: again } = await inBuild(rebuilt.build.build);
        expect((await inBuild(bench.build.build)).rows).toEqual(again);
        expect(pure.parked.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(
          again.map((row) => row.log_offset),
        );

        bench.mend();
        undecodable.clear();
        definition = await bench.with(mended);
        // Behind a key that is retried there may be an event that an operator parked.
        for (let left = await parkedNow(); left.length > 0; left = await parkedNow()) {
          await ask(
            "retry",
            left.map(({ offset }) => offset),
          );
          await definition.run({ batch });
        }
        await definition.run({ batch });
        await expectFold(definition);
        expect(await parkedNow()).toEqual([]);
      },
    ),
    { numRuns, seed, endOnFailure: true },
  );
  checked.seeds += numRuns;
}, 600_000);
