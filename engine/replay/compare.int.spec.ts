import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { keyOf, namedNotes } from "../testing/notes.js";
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
