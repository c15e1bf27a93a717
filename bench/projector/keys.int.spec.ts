import { afterAll, beforeAll, expect, it } from "vitest";
import { readSettings } from "../../engine/service/settings.js";
import { openPool, type Pool } from "../../engine/store/pool.js";
import { benchProjector } from "./command.js";
import { makePlace, type Place } from "./place.js";
import { eachOnce, VisitLog } from "./workload.js";

const ground = () => ({
  settings: readSettings(),
  environment: Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""])),
});
let server: Pool;

beforeAll(() => {
  server = openPool(process.env.DATABASE_URL ?? "", { applicationName: "tributary spec", max: 1 });
});
afterAll(() => server.end());

it("measures real processes, compares their tables, and leaves nothing behind", async () => {
  const databases = async () =>
    (await server.query("SELECT datname FROM pg_database WHERE datname LIKE 'tributary_bench_%' ORDER BY 1")).rows;
  const before = await databases();
  const printed: string[] = [];
  const options = { events: 2_000, only: ["keys"], peers: undefined, json: true, write: false } as const;
  const [report] = await benchProjector(ground(), options, (text) => void printed.push(text));
  const runs = report?.figures as readonly { readonly keys: number; readonly drawn: { readonly events: number } }[];
  expect(runs.map(({ keys, drawn }) => [keys, drawn.events])).toEqual([
    [200, 1_000],
    [2_000, 1_000],
    [10_000, 1_000],
  ]);
  expect(JSON.parse(printed[0] ?? "")).toMatchObject({ part: "keys", events: 2_000 });
  expect(await databases()).toEqual(before);
});

it("does not count a figure of a table in which one value is wrong", async () => {
  const place: Place = await makePlace(ground());
  try {
    const log = new VisitLog(place);
    await log.append(eachOnce(3));
    await place.pool.query(`CREATE SCHEMA wrong; CREATE TABLE wrong.visits (visit_id text, event_id text, patient_id text,
      type text, status text, ward text, facility text, occurred_at timestamptz, sequence integer, charge_cents bigint)`);
    await expect(log.assertRight(place.pool, "wrong")).rejects.toThrow("The table is wrong");
  } finally {
    await place.remove();
  }
});
