import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askOf, decideSome, differencesOf, heldIn, stateOf } from "../testing/bench-checks.js";
import { chaosSize, firstSeed } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { namedNotes, notes } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { diceOf, isAgain, retoldHistory, withErasures } from "../testing/retold-history.js";
import type { AnyProjection, KeyedRows } from "./definition.js";
import { dropBuild } from "./swap.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

const others: AnyProjection = { ...notes, name: "others" };
const { VisitUpdated } = notes.fold;
/** Notes with who wrote them, which an erasure takes out. */
const named: AnyProjection = {
  ...namedNotes,
  fold: {
    ...notes.fold,
    VisitUpdated: (context) => {
      const result = VisitUpdated?.(context);
      const rows = context.tables.notes as unknown as KeyedRows;
      const row = rows.get();
      if (row) rows.put({ ...row, name: (context.sealed as { readonly name?: string } | null)?.name ?? null });
      return result;
    },
  },
};

const drop = async (benches: readonly ProjectionBench[]) => {
  for (const { build } of benches) await dropBuild(database.pool, build.projection, build.build);
};

/** Alone, at once, on what was decided by now. */
async function aloneOf(bench: ProjectionBench): Promise<ProjectionBench> {
  const alone = await bench.with(bench.layout.definition, { beside: true });
  await alone.run({ batch: 1_000 });
  return alone;
}

describe("a consumer of several read models", () => {
  it("is the same where what was told again was decided about before it came, whoever else reads it", async () => {
    let decided = 0;
    for (let seed = 401; seed <= 404; seed++) {
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      bench.append(retoldHistory(diceOf(seed), 30).log);
      const again = bench.inputs.filter(isAgain).map(({ source }) => source);
      const ahead = { skip: again.filter((_, index) => index % 2 === 0), park: again.slice(-3, -2) };
      decided += ahead.skip.length;
      for (const action of ["skip", "park"] as const) await askOf(bench, action, ahead[action]);
      const other = await bench.with(others, { beside: true });
      await bench.run({ batch: 5, cacheRows: 2, beside: other });
      const alone = await bench.with(notes, { beside: true });
      await alone.run({ batch: 1_000 });
      expect(await stateOf(bench), `seed ${seed}`).toEqual(await stateOf(alone));
      expect({ seed, differences: await differencesOf(bench) }).toEqual({ seed, differences: [] });
      for (const { build, projection } of [bench.build, alone.build, other.build])
        await dropBuild(database.pool, projection, build);
    }
    expect(decided).toBeGreaterThan(8);
  });

  it("has in each what it has alone, and what verify computes, whatever is told again, erased and decided", {
    timeout: chaosSize(120_000, 1_200_000),
  }, async () => {
    const seen = { decided: 0, held: 0, erased: 0 };
    for (let seed = firstSeed(); seed < firstSeed() + chaosSize(3, 300); seed++) {
      const random = diceOf(seed);
      const bench = await ProjectionBench.create(named, database.pool, { beside: true });
      const log = withErasures(retoldHistory(random, 24).log, random);
      seen.erased += log.filter(({ type }) => type === "SubjectErased").length;
      const other = await bench.with(others, { beside: true });
      for (let at = 0; at < log.length; ) {
        const size = 1 + random.below(9);
        bench.append(log.slice(at, at + size), { numberOfTimes: random.below(4) === 0 ? 2 : 1 });
        at += size;
        for (const each of [bench, other]) seen.decided += await decideSome(each, random);
        await bench.run({ batch: 1 + random.below(5), cacheRows: 2, beside: other });
      }
      for (let round = 0; round < 3; round++) {
        for (const each of [bench, other]) seen.decided += await decideSome(each, random);
        await bench.run({ beside: other });
      }
      for (const each of [bench, other]) {
        seen.held += (await heldIn(each)).length;
        const alone = await aloneOf(each);
        expect(await stateOf(each), `seed ${seed}, ${each.layout.name}`).toEqual(await stateOf(alone));
        expect({ seed, differences: await differencesOf(each) }).toEqual({ seed, differences: [] });
        await drop([alone]);
      }
      await drop([bench, other]);
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });
});
