import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../../engine/testing/database.js";
import { recorded } from "../../engine/testing/events.js";
import { ProjectionBench } from "../../engine/testing/projection-bench.js";
import timeline from "./projection.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database?.drop();
});

const visit = (number: number) => `00000000-0000-0000-0000-00000000000${number}`;
const hour = 3_600_000;

it("late events are those recorded long after they happened, and tell whether later ones were known before", async () => {
  const { position } = recorded([
    { type: "VisitEnded", key: visit(1), fields: { facility: "N", authority: "N" } },
  ])[0] as {
    position: { recordedAt: number };
  };
  const ended = (number: number, hoursBefore: number) => ({
    type: "VisitEnded" as const,
    key: visit(number),
    time: position.recordedAt - hoursBefore * hour,
    fields: { facility: "N", authority: "N" },
  });
  const bench = await ProjectionBench.create(timeline, database.pool);
  // Of a day's money the morning after tells in time; what is translated again no partner sent late.
  const ofDay = { ...ended(4, 40), meta: { timePrecision: "DAY" as const } };
  const again = { ...ended(5, 1_000), meta: { generation: 1, origin: { journal: "j", partition: 0, offset: 0 } } };
  const longAgo = { ...ended(6, 70), meta: { timePrecision: "DAY" as const } };
  bench.append(
    recorded([ended(1, 23), ended(1, 40), ended(2, 30), ended(2, 25), ended(3, 0), ofDay, again, longAgo] as never),
  );
  await bench.run({});
  const { rows } = await database.pool.query(
    `SELECT right(visit_id::text, 1)::int AS visit, round(hours_late)::int AS hours, back_dated
     FROM projections.late_events ORDER BY recorded_at`,
  );
  expect(rows).toEqual([
    { visit: 1, hours: 40, back_dated: true },
    { visit: 2, hours: 30, back_dated: false },
    { visit: 2, hours: 25, back_dated: false },
    { visit: 6, hours: 46, back_dated: false },
  ]);
});
