import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBuild, listBuilds } from "../projector/build.js";
import type { FoldInput } from "../projector/fold.js";
import { PureFold } from "../projector/pure.js";
import { verifyProjection } from "../projector/verify.js";
import { createLogger } from "../service/logger.js";
import { dropBuilds, type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, type Note, note, notes, published, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { fillBuild } from "./fill.js";

let database: FreshDatabase;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});

const happening = fc.record({
  key: fc.integer({ min: 0, max: 4 }),
  act: fc.constantFrom<Note["act"]>("set", "set", "line", "line", "delete", "park", "overflow"),
  value: fc.constantFrom("a", "b", "c, {NULL}", ""),
});

const eventsOf = (happened: readonly { key: number; act: Note["act"]; value: string }[]) =>
  published(happened.map(({ key, act, value }) => note(key, act, value, key % 2)));

async function liveOf(events: readonly FoldInput[], run: { batch: number; cacheRows: number }) {
  await dropBuilds(database.pool, "notes");
  const bench = await ProjectionBench.create(notes, database.pool);
  bench.append(events, { numberOfTimes: 2 });
  await bench.run(run);
  return bench;
}

async function filledOf(bench: ProjectionBench) {
  const build = await createBuild(database.pool, notes, "bench", "rebuild");
  await fillBuild({
    projection: notes,
    build,
    log: {
      read: (...place) => bench.read(...place),
      watermarks: async () =>
        [0, 1].map((partition) => ({ partition, low: 0, high: bench.recordsOf(topic, partition).length })),
    },
    pool: database.pool,
    decoder: bench,
    opener: bench,
    logger: createLogger("spec", "silent"),
  });
  return build;
}

const versionsIn = async (schema: string) =>
  (
    await database.pool.query<{ row: string }>(
      `SELECT to_jsonb(n)::text AS row FROM "${schema}".notes_history n
       UNION ALL SELECT to_jsonb(l)::text FROM "${schema}".note_lines_history l ORDER BY 1`,
    )
  ).rows.map(({ row }) => row);

describe("tables with history", () => {
  it("have the versions of a plain fold, live, filled and verified, however the log is cut", async () => {
    const cut = fc.record({ batch: fc.integer({ min: 1, max: 30 }), cacheRows: fc.integer({ min: 1, max: 20 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 40 }), cut, async (happened, run) => {
        const bench = await liveOf(eventsOf(happened), run);
        await expectPure(bench, bench.inputs);
        const filled = await filledOf(bench);
        expect(await versionsIn(filled.schema)).toEqual(await versionsIn(bench.build.schema));
        const build = (await listBuilds(database.pool, "notes"))[0];
        if (!build) throw new Error("no build");
        const parts = { projection: notes, build, log: bench, pool: database.pool, decoder: bench, opener: bench };
        expect((await verifyProjection(parts)).differences).toEqual([]);
      }),
      { numRuns: 6 },
    );
  });

  it("answer in plain SQL what was believed at any moment", async () => {
    const happened =
      fc.sample(fc.array(happening, { minLength: 60, maxLength: 60 }), { numRuns: 1, seed: 11 })[0] ?? [];
    const bench = await liveOf(eventsOf(happened), { batch: 7, cacheRows: 5 });
    const moments = bench.inputs.map(({ position }) => position.recordedAt);
    for (const at of [(moments[0] as number) - 1, ...moments, (moments.at(-1) as number) + 1]) {
      const pure = new PureFold(notes);
      for (const input of bench.inputs) if (input.position.recordedAt <= at) pure.apply(input);
      const { rows } = await database.pool.query(
        `SELECT visit_id, note, times FROM projections.notes_history
         WHERE recorded_from <= $1 AND (recorded_to > $1 OR recorded_to IS NULL) ORDER BY visit_id`,
        [new Date(at)],
      );
      expect(rows).toEqual(
        pure.rows("notes").map(({ row: { visit_id, note: text, times } }) => ({ visit_id, note: text, times })),
      );
    }
  });

  it("tell a version that was changed afterwards", async () => {
    const bench = await liveOf(eventsOf([{ key: 1, act: "set", value: "a" }]), { batch: 1, cacheRows: 5 });
    await database.pool.query(`UPDATE "${bench.build.schema}".notes_history SET note = 'b'`);
    const { build } = bench;
    const parts = { projection: notes, build, log: bench, pool: database.pool, decoder: bench, opener: bench };
    expect((await verifyProjection(parts)).differences).toMatchObject([{ table: "notes_history", columns: ["note"] }]);
  });
});
