import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectorAddresses } from "../cli/demo/play.js";
import { playRegion } from "../demo/deliver.js";
import { generateRegion } from "../demo/region.js";
import { type Checkout, copyCheckout } from "./checkout.js";
import { tributary } from "./command.js";
import { startInstallation, type TestInstallation } from "./installation.js";
import { type Running, startCommand, untilReady } from "./running.js";

const consumers = ["patients", "visits"];
let installation: TestInstallation;
let checkout: Checkout;
const started: Running[] = [];

const call = (...parameters: string[]) => tributary(installation.environment, parameters, checkout.folder);

/** What must not change in a consumer while another is added: its process, its partitions, its rows. */
async function standing() {
  const facts = [];
  for (const name of consumers) {
    const { pid, admin } = installation.process(name) ?? {};
    const state = (await (await fetch(`${admin}/state`)).json()) as { partitions: object[] };
    const partitions = state.partitions.map((partition) => JSON.stringify(partition)).sort();
    const rows = await installation.query(`SELECT * FROM projections_restricted.${name} ORDER BY 1`);
    facts.push({ name, pid, partitions, rows });
  }
  return facts;
}

beforeAll(async () => {
  checkout = copyCheckout();
  installation = await startInstallation({ names: ["hl7v2", "x12", "publisher", ...consumers] });
  await installation.untilReady();
  await playRegion(generateRegion({ seed: "new", patients: 30 }), { addresses: connectorAddresses(installation.home) });
  await installation.applied();
}, 180_000);

afterAll(async () => {
  for (const { child } of started) child.kill("SIGTERM");
  await Promise.all(started.map(({ ended }) => ended));
  await installation.stop();
  checkout.remove();
}, 60_000);

describe("consumers new", () => {
  it.each([
    ["stays", "stays"],
    ["bed-days-of-the-region-by-facility", "bed_days_of_the_region_by_facility"],
  ])(
    "%s: two folders that pass their own spec, run, and fill from the log's beginning beside the others",
    async (name, table) => {
      const changed = checkout.changed();
      const before = await standing();
      expect(before[1]?.rows.length).toBeGreaterThan(20);

      const made = await call("consumers", "new", name);
      expect(made.exitCode).toBe(0);
      expect(checkout.changed().filter((path) => !changed.includes(path))).toEqual([
        `consumers/${name}/README.md`,
        `consumers/${name}/consumer.ts`,
        `projections/${table}/projection.ts`,
        `projections/${table}/projection.unit.spec.ts`,
      ]);
      const spec = await checkout.run("vitest", ["run", "--project", "unit", `projections/${table}/`, "--no-color"]);
      expect(spec.output).toMatch(/Tests +1 passed/);
      expect(spec.exitCode).toBe(0);
      const formatted = await checkout.run("biome", ["check", `consumers/${name}`, `projections/${table}`]);
      expect(formatted.exitCode, formatted.output).toBe(0);
      expect((await call("consumers", "new", name)).stderr).toContain("is there already");

      const running = startCommand(installation.environment, ["consumers", "run", name], checkout.folder);
      started.push(running);
      await untilReady(installation.home, [name]);
      // A build that has nothing yet differs in nothing.
      await expect
        .poll(
          async () => (await installation.query(`SELECT count(*)::int AS rows FROM projections.${table}`))[0]?.rows,
          {
            timeout: 60_000,
            interval: 500,
          },
        )
        .toBeGreaterThan(20);
      // Those of the other consumers aren't run here.
      await expect
        .poll(async () => (await call("projections", "verify", table, "--json")).stdout, {
          timeout: 60_000,
          interval: 500,
        })
        .toMatch(/"differing":0[,}]/);
      const [{ visits, events }] = (await installation.query(
        `SELECT count(*)::int AS visits, sum(events)::int AS events FROM projections.${table}`,
      )) as [{ visits: number; events: number }];
      expect(visits).toBeGreaterThan(20);
      expect(events).toBeGreaterThan(visits);
      const list = JSON.parse((await call("consumers", "list", "--json")).stdout) as { name: string; pids: number[] }[];
      expect(list.find((one) => one.name === name)?.pids).toHaveLength(1);

      expect(await standing()).toEqual(before);
      running.child.kill("SIGTERM");
      expect(await running.ended).toBe(0);
    },
    180_000,
  );

  it("refuses a name that can't be a folder, a role and a table", async () => {
    const changed = checkout.changed();
    for (const name of ["Bed", "2beds", "bed_days", "a".repeat(41), "hl7v2", "publisher"]) {
      const { exitCode, stderr } = await call("consumers", "new", name);
      expect(exitCode).toBe(64);
      expect(stderr).toContain("TRIB_CLI_NAME_INVALID");
    }
    expect(checkout.changed()).toEqual(changed);
  });
});
