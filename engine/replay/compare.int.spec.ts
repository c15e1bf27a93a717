import { afterAll, beforeAll, expect, it } from "vitest";
import { type Build, createBuild } from "../projector/build.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { derivedNotes, keyOf, namedNotes, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { compareBuilds } from "./compare.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

it("what identifies two persons, each in the other's row, is a difference of two builds", async () => {
  const bench = await ProjectionBench.create(namedNotes, database.pool);
  const note = (value: string) => JSON.stringify({ act: "set", value });
  bench.append(
    recorded(
      [1, 2].map((number) => ({
        type: "VisitUpdated" as const,
        key: keyOf(number),
        fields: { facility: note("same"), authority: "spec" },
      })),
    ),
  );
  const other = await bench.with(namedNotes, { beside: true });
  await bench.run({});
  await other.run({});
  const compared = async () =>
    (await compareBuilds({ pool: database.pool, projection: namedNotes, builds: [bench.build, other.build] }))
      .differences;
  const name = (build: typeof bench, number: number, given: string) =>
    database.pool.query(`UPDATE "${build.build.schema}".notes SET name = $1 WHERE visit_id = $2`, [
      given,
      keyOf(number),
    ]);
  await name(bench, 1, "Ada");
  await name(bench, 2, "Bob");
  await name(other, 1, "Ada");
  await name(other, 2, "Bob");
  expect(await compared()).toEqual([]);
  await name(other, 1, "Bob");
  await name(other, 2, "Ada");
  expect(await compared()).toMatchObject([{ table: "notes", what: "restricted", rows: [2, 2] }]);
});

it("derived tables that differ at the same positions are told, and those never met there", async () => {
  const made = async () => createBuild(database.pool, derivedNotes, "notes", "rebuild");
  const builds: [Build, Build] = [await made(), await made()];
  const write = async ({ build, schema }: Build, visits: number, next: number) => {
    await database.pool.query(`TRUNCATE "${schema}".noted; INSERT INTO "${schema}".noted VALUES ('note', ${visits})`);
    await database.pool.query(
      `INSERT INTO engine.derived_tables (projection, build, name, owner, vector, consumer_role)
       VALUES ('notes', $1, 'noted', 'spec', $2, 'tributary_notes')
       ON CONFLICT (projection, build, name) DO UPDATE SET vector = EXCLUDED.vector`,
      [build, JSON.stringify({ [topic]: { 0: next } })],
    );
  };
  const compared = () => compareBuilds({ pool: database.pool, projection: derivedNotes, builds, derivedTimeout: 50 });
  await write(builds[0], 4, 10);
  await write(builds[1], 4, 10);
  expect(await compared()).toMatchObject({ rows: { noted: 1 }, differences: [], skipped: [] });
  await write(builds[1], 5, 10);
  expect((await compared()).differences).toEqual([
    { table: "noted", topic: null, partition: null, rows: [1, 1], what: "clear" },
  ]);
  await write(builds[1], 5, 11);
  expect(await compared()).toMatchObject({ differences: [], skipped: ["noted"] });
});
