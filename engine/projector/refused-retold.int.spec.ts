import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillBuild } from "../replay/fill.js";
import { createLogger } from "../service/logger.js";
import { askOf, decideSome, differencesOf, heldIn, stateOf } from "../testing/bench-checks.js";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { namedNotes, noteOf, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { type Dice, diceOf, retoldHistory, withErasures } from "../testing/retold-history.js";
import { createBuild, listBuilds } from "./build.js";
import type { AnyProjection, KeyedRows } from "./definition.js";
import type { FoldInput } from "./fold.js";
import { dropBuild } from "./swap.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
const seen = { refused: 0, parked: 0, decided: 0, retried: 0, superseded: 0, erased: 0 };
let events = 0;
const seeds = chaosSize(3, 400);
afterAll(async () => {
  await database?.drop();
  recordChaos({
    guarantee: "What Postgres refuses of units translated again parks the same, live, rebuilt and verified",
    spec: "engine/projector/refused-retold.int.spec.ts",
    seeds,
    kills: 0,
    faults: {
      "events refused": seen.refused,
      "refused events superseded, or of held keys": seen.superseded,
      "keys held": seen.parked,
      "events decided about": seen.decided,
      "keys retried": seen.retried,
      "keys erased": seen.erased,
    },
    events,
    violations: 0,
  });
});

const { VisitUpdated } = namedNotes.fold;
const named: AnyProjection = {
  ...namedNotes,
  fold: {
    ...namedNotes.fold,
    VisitUpdated: (context) => {
      const result = VisitUpdated?.(context);
      const rows = context.tables.notes as unknown as KeyedRows;
      const row = rows.get();
      if (row) rows.put({ ...row, name: (context.sealed as { readonly name?: string } | null)?.name ?? null });
      return result;
    },
  },
};

/** What no fold knows of: constraints on rows, on what events before made of them, on sums of all keys, on what is erased. */
const constraints: readonly (readonly [table: string, check: string])[] = [
  ["notes", "note <> 'c'"],
  ["notes", "times < 4"],
  ["notes", "note <> 'c' OR times > 2"],
  ["note_lines", "times < 2"],
  ["note_lines", "line <> 'b'"],
  ["acts", "events < 9"],
  ["acts", "act <> 'delete' OR events < 3"],
  ["history", "act <> 'delete'"],
  ["notes_history", "note <> 'a' OR times < 3"],
  ["notes", "name IS NOT NULL"],
];

/** Folds that throw, and values that no column holds, among what is told. */
function poisoned(log: readonly FoldInput[], random: Dice): FoldInput[] {
  return log.map((event) => {
    if (event.type !== "VisitUpdated" || random.below(25) > 0) return event;
    const { value } = noteOf(event.event as { readonly facility: string });
    const [act, said] = (
      [
        ["throw", value],
        ["overflow", value],
        ["set", `${value}\0`],
      ] as const
    )[random.below(3)] as [string, string];
    return { ...event, event: { ...event.event, facility: JSON.stringify({ act, value: said }) } };
  });
}

const refusedIn = async ({ build }: ProjectionBench) =>
  (
    await database.pool.query<{ held: boolean }>(
      `SELECT state <> 'done' AS held FROM engine.parked_keys
       WHERE build = $1 AND code = 'TRIB_PROJECT_WRITE_REFUSED' AND NOT mended`,
      [build.build],
    )
  ).rows;

/** As a rebuild or an as-of fills it, all at once. */
async function filledOf(bench: ProjectionBench, feed: "rebuild" | "as-of"): Promise<ProjectionBench> {
  const { decisions, pool } = bench;
  const build = await createBuild(pool, named, "bench", feed);
  const watermarks = async () =>
    [0, 1].map((partition) => ({ partition, low: 0, high: bench.recordsOf(topic, partition).length }));
  const log = { read: (...place: Parameters<ProjectionBench["read"]>) => bench.read(...place), watermarks };
  const logger = createLogger("spec", "silent");
  await fillBuild({ projection: named, build, log, pool, decoder: bench, opener: bench, logger, decisions });
  const made = (await listBuilds(pool, named.name)).find((one) => one.build === build.build);
  return bench.of(made ?? build);
}

describe("what Postgres refuses of units translated again", () => {
  it("is the same live, rebuilt by lanes or at once, and recomputed, whatever operators decide about it", {
    timeout: chaosSize(60_000, 1_800_000),
  }, async () => {
    for (let seed = firstSeed(); seed < firstSeed() + seeds; seed++) {
      const random = diceOf(seed);
      await dropBuilds(database.pool, named.name);
      const bench = await ProjectionBench.create(named, database.pool);
      const { schema } = bench.build;
      const count = 1 + random.below(3);
      const checks = Array.from(
        { length: count },
        () => constraints[random.below(constraints.length)] as readonly [string, string],
      );
      for (const [index, [table, check]] of checks.entries()) {
        await database.pool.query(`ALTER TABLE ${schema}.${table} ADD CONSTRAINT no_${index} CHECK (${check})`);
      }
      const log = withErasures(poisoned(retoldHistory(random, random.below(8) === 0 ? 70 : 26).log, random), random);
      seen.erased += log.filter(({ type }) => type === "SubjectErased").length;
      events += log.length;
      for (let at = 0; at < log.length; ) {
        const size = 1 + random.below(9);
        bench.append(log.slice(at, at + size), { numberOfTimes: random.below(4) === 0 ? 2 : 1 });
        at += size;
        seen.decided += await decideSome(bench, random);
        await bench.run({ batch: 1 + random.below(6), cacheRows: 2 });
        if (random.below(5) === 0)
          expect({ seed, at, differences: await differencesOf(bench) }).toEqual({ seed, at, differences: [] });
      }
      if (random.below(2) === 0) {
        for (const [index, [table]] of checks.entries())
          await database.pool.query(`ALTER TABLE ${schema}.${table} DROP CONSTRAINT no_${index}`);
        const held = await heldIn(bench);
        seen.retried += held.length;
        await askOf(bench, "retry", held);
      }
      for (let round = 0; round < 3; round++) {
        await bench.run();
        const refused = await refusedIn(bench);
        seen.refused += refused.length;
        seen.superseded += refused.filter(({ held }) => !held).length;
        seen.parked += (await heldIn(bench)).length;
        expect({ seed, round, differences: await differencesOf(bench) }).toEqual({ seed, round, differences: [] });
        const lanes = await bench.with(named, { beside: true });
        await lanes.run({ batch: round === 0 ? 1_000 : 1 + random.below(9), cacheRows: 2 });
        const filled = await filledOf(bench, random.below(2) === 0 ? "rebuild" : "as-of");
        const state = await stateOf(bench);
        for (const beside of [lanes, filled]) {
          expect(await stateOf(beside), `seed ${seed}, round ${round}`).toEqual(state);
          await dropBuild(database.pool, named.name, beside.build.build);
        }
        seen.decided += await decideSome(bench, random);
      }
    }
  });
});
