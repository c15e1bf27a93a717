import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registered } from "../engine/service/registration.js";
import { openPool } from "../engine/store/pool.js";
import { tributary } from "./command.js";
import { makePlace, type TestPlace } from "./installation.js";
import { startCommand } from "./running.js";

let place: TestPlace;
const demo = () => tributary(place.environment, ["demo", "--once", "--patients", "60"]);

/** Units that partners were answered for, as the hospitals' connector counts them. */
const units = async () => {
  const admin = registered(place.home).find(({ name }) => name === "hl7v2")?.admin;
  const text = admin ? await (await fetch(`${admin}/metrics`).catch(() => undefined))?.text() : "";
  return Number(/^tributary_units_total\{.*\} (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
};

beforeAll(async () => {
  place = await makePlace();
});
afterAll(() => place.remove());

describe("demo --once", () => {
  it("ends everything on SIGINT while it plays", async () => {
    const { child, ended } = startCommand(place.environment, ["demo", "--once", "--patients", "90"]);
    await expect.poll(units, { timeout: 60_000, interval: 50 }).toBeGreaterThan(0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(registered(place.home)).toEqual([]);
  }, 120_000);

  it("plays the region, finds every row and count as it must be, and exits 0", async () => {
    const { exitCode, stdout, stderr } = await demo();
    expect(stdout).toContain("resumed   the region of 90 people whose playing was interrupted");
    expect(stdout + stderr).toContain(
      "compared  with the region's own truth: 0 rows differ, 0 answers or counts differ",
    );
    expect(stdout).toContain("Everything is as it must be");
    expect(stdout).not.toContain("beside ");
    const counted = Number(/^counted +(\d+) by the intake/m.exec(stdout)?.[1]);
    expect(counted).toBeGreaterThan(Number(/^sent +(\d+) units/m.exec(stdout)?.[1]));
    expect(stdout).toContain(`psql "$DATABASE_URL" -c 'select`);
    expect(stdout).not.toContain(new URL(place.databaseUrl).password);
    for (const name of ["patients", "visits", "claims"]) expect(stdout).toContain(`projections.${name}, first rows`);
    expect(stdout).toMatch(/^units +accepted +rejected +resends +reusedIds +events$/m);
    expect(exitCode).toBe(0);
  });

  it("after one changed row, the same region again changes no row, names that one, and exits 2", async () => {
    const pool = openPool(place.databaseUrl, { applicationName: "tributary demo spec", max: 1 });
    const { rows: builds } = await pool.query<{ schema_name: string }>(
      "SELECT schema_name FROM engine.builds WHERE projection = 'visits' AND state = 'current'",
    );
    const schema = builds[0]?.schema_name;
    const { rows } = await pool.query<{ name: string }>(
      `UPDATE ${schema}.visits SET location = 'NOWHERE^1^1' WHERE visit_id =
        (SELECT visit_id FROM ${schema}.visits WHERE status = 'finished' ORDER BY visit_id LIMIT 1)
      RETURNING facility || '|' || visit_number AS name`,
    );
    // What somebody sent beside: no row of the region's senders.
    await pool.query(
      `INSERT INTO ${schema}.visits SELECT (jsonb_populate_record(NULL::${schema}.visits,
        to_jsonb(one) || jsonb_build_object('visit_id', gen_random_uuid(), 'partner', 'lake', 'visit_number', 'LV1'))).*
      FROM (SELECT * FROM ${schema}.visits LIMIT 1) AS one`,
    );
    await pool.end();
    const { exitCode, stdout } = await demo();
    expect(stdout).toContain("this region was sent before: every unit is a resend");
    expect(stdout).toContain("compared  with the region's own truth: 1 rows differ, 0 answers or counts differ");
    expect(stdout).toMatch(new RegExp(`^visits +${rows[0]?.name.replace("|", "\\|")} +location +\\S+ +NOWHERE`, "m"));
    expect(stdout).toContain("beside    1 rows of lake (1 in visits): nothing that the region has a truth of");
    expect(stdout).toContain("NOT everything is as it must be");
    expect(exitCode).toBe(2);
  });
});
