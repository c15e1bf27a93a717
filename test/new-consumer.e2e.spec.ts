import { execFileSync } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectorAddresses } from "../cli/demo/play.js";
import { playRegion } from "../demo/deliver.js";
import { generateRegion } from "../demo/region.js";
import { partnerEndpoint, type Received } from "../engine/testing/partner-endpoint.js";
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

  it("a new version is filled beside the old one by `run`, also where the fill is killed, and takes its place", async () => {
    const definition = join(checkout.folder, "projections/stays/projection.ts");
    writeFileSync(definition, readFileSync(definition, "utf8").replace("version: 1", "version: 2"));
    const running = startCommand(installation.environment, ["run", "stays"], checkout.folder);
    started.push(running);
    const filling = () =>
      execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
        .split("\n")
        .filter((line) => line.includes(`${checkout.folder}/dist/cli/main.js projections rebuild stays`))
        .map((line) => Number.parseInt(line, 10));
    await expect.poll(() => filling().length, { timeout: 60_000, interval: 20 }).toBe(1);
    process.kill(filling()[0] ?? 0, "SIGKILL");
    const builds = async () =>
      (await installation.query(
        "SELECT version, state, feed FROM engine.builds WHERE projection = 'stays' ORDER BY build",
      )) as object[];
    const swapped = [
      { version: 1, state: "previous", feed: "consumer" },
      { version: 2, state: "current", feed: "consumer" },
    ];
    await expect.poll(builds, { timeout: 60_000, interval: 200 }).toEqual(swapped);
    expect((await call("projections", "verify", "stays", "--json")).stdout).toMatch(/"differing":0[,}]/);
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    expect(filling()).toEqual([]);
  }, 180_000);

  it("--delivers: one folder that passes its own spec, and tells a partner, signed; trail and account of disclosures say so", async () => {
    const name = "acme-health-plan";
    const changed = checkout.changed();
    const partner = await partnerEndpoint();
    try {
      expect((await call("consumers", "new", name, "--delivers")).exitCode).toBe(0);
      const made = ["README.md", "consumer.ts", "map.ts", "map.unit.spec.ts"].map(
        (file) => `consumers/${name}/${file}`,
      );
      expect(checkout.changed().filter((path) => !changed.includes(path))).toEqual(made);
      const files = [`consumers/${name}/`, "test/consumers.unit.spec.ts"];
      const spec = await checkout.run("vitest", ["run", "--project", "unit", ...files, "--no-color"]);
      expect(spec.exitCode, spec.output).toBe(0);
      const checked = await checkout.run("biome", ["check", `consumers/${name}`]);
      expect(checked.exitCode, checked.output).toBe(0);

      // What is there already is what it is to tell.
      const definition = join(checkout.folder, `consumers/${name}/consumer.ts`);
      writeFileSync(definition, readFileSync(definition, "utf8").replace('"latest"', '"earliest"'));
      const credentials = join(installation.home, "credentials");
      mkdirSync(credentials, { recursive: true });
      const secret = randomBytes(32);
      writeFileSync(join(credentials, `${name}.url`), partner.url);
      writeFileSync(join(credentials, `${name}.whsec`), `whsec_${secret.toString("base64")}\n`);
      let refused: string | undefined;
      let mended = false;
      partner.answer = ({ event }) => {
        refused ??= event.subject;
        return event.subject === refused && !mended ? 422 : 204;
      };
      const running = startCommand(installation.environment, ["consumers", "run", name], checkout.folder);
      started.push(running);
      const standing = async () =>
        (JSON.parse((await call("status", "--json")).stdout) as { deliveries: object[] }).deliveries;
      const done = [expect.objectContaining({ name, to: "webhook", lagEvents: 0, parkedKeys: 1 })];
      await expect.poll(standing, { timeout: 60_000, interval: 500 }).toEqual(done);
      const list = JSON.parse((await call("parked", "list", "--projection", name, "--json")).stdout);
      expect(list).toMatchObject([{ projection: name, key: refused, code: "TRIB_DELIVERY_REFUSED" }]);
      mended = true;
      const retried = await call("parked", "retry", name, "--all", "--json");
      expect(retried.exitCode, retried.stderr).toBe(0);
      expect(JSON.parse(retried.stdout)).toMatchObject([{ state: "done", parkedAgain: false }]);
      expect(partner.received.length).toBeGreaterThan(20);
      // What was refused was sent once more, under the same id.
      expect(new Set(partner.received.map(({ id }) => id)).size).toBe(partner.received.length - 1);
      for (const { headers, body, id } of partner.received) {
        const signed = createHmac("sha256", secret).update(`${id}.${headers["webhook-timestamp"]}.${body}`);
        expect(headers["webhook-signature"]).toBe(`v1,${signed.digest("base64")}`);
      }

      const [told] = partner.received as [Received];
      const sha256 = createHash("sha256").update(told.body).digest("hex");
      const visit = told.event.subject;
      const trail = JSON.parse((await call("audit", "trail", "visit", visit, "--json")).stdout) as {
        patients: string[];
        deliveries: { eventId: string }[];
      };
      expect(trail.deliveries.find(({ eventId }) => eventId === told.event.id)).toMatchObject({
        consumer: name,
        deliveryId: told.id,
        status: "delivered",
        responseCode: 204,
        bodySha256: sha256,
      });
      const text = (await call("audit", "trail", "visit", visit)).stdout;
      expect(text).toContain(`delivered to ${name} (webhook ${new URL(partner.url).origin})`);
      expect(text).toContain(`delivery ${told.id}  sha256 ${sha256}`);
      const account = (await call("audit", "disclosures", trail.patients[0] ?? "", "--json")).stdout;
      const given = account.split("\n").filter((line) => line.includes(told.event.id));
      expect(given.map((line) => JSON.parse(line))).toMatchObject([{ action: "DELIVER", recipient: name }]);
      const grants = (await call("consumers", "grants", name)).stdout;
      expect(grants).toContain("engine.deliveries");
      expect(grants).not.toContain("vault_open");
      running.child.kill("SIGTERM");
      expect(await running.ended).toBe(0);
    } finally {
      await partner.close();
    }
  }, 180_000);

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
