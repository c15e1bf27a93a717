import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkout, copyCheckout } from "./checkout.js";
import { tributary } from "./command.js";
import { startInstallation, type TestInstallation } from "./installation.js";
import { commandsOf, runCommands } from "./page-commands.js";
import { type Running, startCommand, untilReady } from "./running.js";

const name = "lab-feed";

let checkout: Checkout;
let installation: TestInstallation;
const running: Running[] = [];
/** Home of who follows the page. */
const home = mkdtempSync(join(tmpdir(), "tributary-newcomer-"));

const call = (...parameters: string[]) => tributary(installation.environment, parameters, checkout.folder);

beforeAll(async () => {
  checkout = copyCheckout();
  installation = await startInstallation({ names: ["publisher", "activity", "patients", "visits", "claims"] });
});
afterAll(async () => {
  for (const { child } of running) child.kill("SIGTERM");
  await Promise.all(running.map(({ ended }) => ended));
  await installation?.stop();
  checkout?.remove();
  rmSync(home, { recursive: true, force: true });
});

describe("producers new", () => {
  it("writes one folder and touches nothing else", async () => {
    const { exitCode, stderr } = await call("producers", "new", name);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const changed = checkout.changed();
    expect(changed).toContain(`producers/${name}/connector.ts`);
    expect(changed.filter((path) => !path.startsWith(`producers/${name}/`))).toEqual([]);
  });

  it("refuses a name that is taken, or can't be a folder's", async () => {
    const before = checkout.changed();
    for (const refused of [name, "hl7v2", "../x", "Lab"]) {
      const { exitCode, stderr } = await call("producers", "new", refused);
      expect(exitCode, refused).toBeGreaterThan(0);
      expect(stderr, refused).toContain("TRIB_CLI_NAME_INVALID");
    }
    expect(checkout.changed()).toEqual(before);
  });

  it("writes what passes its own spec, the laws of connectors and the format", async () => {
    const specs = ["run", "--project", "unit", `producers/${name}`, "test/connectors.unit"];
    const ran = await checkout.run("vitest", [...specs, "--reporter=verbose", "--no-color"]);
    expect(ran.exitCode, ran.output).toBe(0);
    expect(ran.output).toContain(`test/connectors.unit.spec.ts > producers/${name} >`);
    const formatted = await checkout.run("biome", ["check", `producers/${name}`]);
    expect(formatted.exitCode, formatted.output).toBe(0);
  });

  it("writes what takes messages in, beside processes that know nothing of it", async () => {
    const before = ["publisher", "patients"].map((process) => installation.process(process)?.pid);
    running.push(startCommand(installation.environment, ["producers", "run", name], checkout.folder));
    await untilReady(installation.home, [name, "publisher", "patients"]);
    const send = (sample: string) => call("send", `producers/${name}/samples/${sample}.json`, "--to", name, "--json");
    const accepted = await send("accepted");
    expect([accepted.exitCode, accepted.stderr]).toEqual([0, ""]);
    expect(JSON.parse(accepted.stdout)).toMatchObject({ controlId: "1", accepted: true, code: null, answer: "200" });
    const rejected = await send("rejected");
    expect(rejected.exitCode).toBe(2);
    expect(JSON.parse(rejected.stdout)).toMatchObject({
      code: "FIELD_INVALID",
      location: "patient.number",
      answer: "422",
    });
    // A resend gets the same answer and makes no second fact.
    expect((await send("accepted")).exitCode).toBe(0);
    await installation.applied();
    expect(
      await installation.query("SELECT sex, birth_year, partners, family_name FROM projections_restricted.patients"),
    ).toEqual([{ sex: "F", birth_year: 1980, partners: ["generic"], family_name: "Doe" }]);
    const listed = await call("producers", "list", "--json");
    expect(JSON.parse(listed.stdout)).toContainEqual(expect.objectContaining({ name, partners: ["generic"] }));
    expect(["publisher", "patients"].map((process) => installation.process(process)?.pid)).toEqual(before);
  });
});

describe("docs/add-a-partner.md", () => {
  const page = commandsOf(join(import.meta.dirname, "../docs/add-a-partner.md"));
  const connectors = ["hl7v2", "x12", "fhir", "csv", "cloudevents"];
  const environment = () => ({
    ...installation.environment,
    HOME: home,
    CONNECTOR_TLS_CERT_FILE: join(home, "lake", "server.pem"),
    CONNECTOR_TLS_KEY_FILE: join(home, "lake", "server.key"),
  });

  /** Commands of the page by name, those of each connector in order, all connectors at once. */
  async function follow(...names: readonly string[]) {
    const results = connectors.map(async (connector) => {
      const wanted = names.map((one) => page.get(`${connector} ${one}`) ?? "");
      const { exitCode, stdout, stderr } = await runCommands(wanted.join("\n"), checkout.folder, environment());
      expect([exitCode, stderr], connector).toEqual([0, ""]);
      return [connector, stdout] as const;
    });
    return Object.fromEntries(await Promise.all(results)) as Record<string, string>;
  }

  it("adds a partner to each connector by a new file, without a secret, and says what its samples come to", async () => {
    expect((await runCommands(page.get("before") ?? "", checkout.folder, environment())).exitCode).toBe(0);
    const told = await follow("keys", "add", "sample", "validate");
    for (const connector of connectors) {
      expect(told[connector], connector).toMatch(/ {2}accepted {2}/);
      expect(told[connector], connector).toMatch(/^from lake: [12]$/m);
      const profile = readFileSync(join(checkout.folder, "producers", connector, "partners", "lake.json"), "utf8");
      expect(profile).not.toMatch(/whsec_/);
    }
  });

  it("makes a connector like another one, with the other's samples", async () => {
    const { exitCode, stdout } = await runCommands(page.get("like") ?? "", checkout.folder, environment());
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toContain("AA  accepted");
  });

  it("has the partner's first messages accepted, with its proof, and shows their rows", async () => {
    running.push(startCommand(environment(), ["run", ...connectors], checkout.folder));
    await untilReady(installation.home, connectors);
    // What the page does for each connector, here it does for one; the others are only sent to, and asked about at once.
    const asked = new Map<string, string>();
    for (const connector of connectors.slice(1)) {
      const commands = page.get(`${connector} send`) ?? "";
      asked.set(connector, /projections query "(.*)"/.exec(commands)?.[1] ?? "");
      page.set(`${connector} send`, commands.replace(/^.* (restart|await|query) .*$|^.* await$/gm, ""));
    }
    const told = await follow("send");
    expect(told.hl7v2).toMatch(/ LAKE +I +in_progress +2026-03-01 15:30:00\+00\n\(1 row\)/);
    await installation.applied();
    const rows = async (connector: string) =>
      (await installation.query(asked.get(connector)!.replace(" from ", " from projections."))).map(
        ({ patient_id: _, ...row }) => row,
      );
    expect(await rows("x12")).toMatchObject([{ payer_id: "LAKEPLAN", status: "submitted", billed_amount: "100.50" }]);
    // The same person as in the hospital's HL7 v2: one row.
    expect(await rows("fhir")).toEqual([{ sex: "F", birth_year: 1984 }]);
    expect(await rows("csv")).toHaveLength(2);
    expect(await rows("cloudevents")).toEqual([{ sex: "M", birth_year: 1959 }]);
  });

  it("lets in nobody without a proof", async () => {
    for (const connector of ["fhir", "cloudevents"]) {
      const file = join(home, "lake", connector === "fhir" ? "patient.json" : "registered.json");
      const sent = await tributary(
        environment(),
        ["send", file, "--to", connector, "--partner", "lake", "--json"],
        checkout.folder,
      );
      expect([sent.exitCode, JSON.parse(sent.stdout).answer], connector).toEqual([2, "401"]);
    }
  });

  it("lets no mistake in a profile stop the connector, and no mistake of one partner stop another", async () => {
    const partners = join(checkout.folder, "producers", "hl7v2", "partners");
    const profile = readFileSync(join(partners, "lake.json"), "utf8");
    const call = (...parameters: string[]) => tributary(environment(), parameters, checkout.folder);
    const send = (partner: string, facility: string) => {
      const file = join(home, `${facility}.hl7`);
      const sample = readFileSync(join(home, "lake", "admission.hl7"), "utf8");
      writeFileSync(file, sample.replace("|LAKEADT|LAKE|", `|${facility}ADT|${facility}|`));
      return call("send", file, "--to", "hl7v2", "--partner", partner, "--json");
    };
    const before = installation.process("hl7v2")?.pid;
    writeFileSync(join(partners, "alake.json"), profile);
    const overlap = await call("producers", "restart", "hl7v2");
    expect([overlap.exitCode, overlap.stderr]).toEqual([
      78,
      expect.stringMatching(/alake\.json and .*lake\.json both have match LAKEADT, LAKE[\s\S]*Nothing was stopped/),
    ]);
    expect(installation.process("hl7v2")?.pid).toBe(before);
    rmSync(join(partners, "alake.json"));

    writeFileSync(join(partners, "lake.json"), profile.replace("America/Chicago", "Mars"));
    expect((await call("producers", "restart", "hl7v2")).exitCode).toBe(78);
    expect(installation.process("hl7v2")?.pid).toBe(before);
    // Started all the same, it lets all others in; the partner is neither anybody's nor refused for good.
    const forced = await call("producers", "restart", "hl7v2", "--force");
    expect([forced.exitCode, forced.stdout]).toEqual([0, expect.stringMatching(/^suspended +lake .*timezone/)]);
    const others = await send("generic", "SHORE");
    expect([others.exitCode, JSON.parse(others.stdout).answer]).toEqual([0, "AA"]);
    const own = await send("generic", "LAKE");
    expect(JSON.parse(own.stdout)).toMatchObject({ accepted: false, answer: "AR", code: "207" });
    const found = await call("doctor", "--json");
    expect(JSON.parse(found.stdout)).toContainEqual(
      expect.objectContaining({ check: "partner profiles", ok: false, advice: expect.stringContaining("lake.json") }),
    );

    writeFileSync(join(partners, "lake.json"), profile);
    expect((await call("producers", "restart", "hl7v2")).exitCode).toBe(0);
    expect((await send("lake", "LAKE")).exitCode).toBe(0);
  });

  it("stops nothing that nobody would start again, and finds no connector that was removed", async () => {
    const call = (...parameters: string[]) => tributary(environment(), parameters, checkout.folder);
    const before = installation.process(name)?.pid;
    const refused = await call("producers", "restart", name);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("started by hand")]);
    expect(installation.process(name)?.pid).toBe(before);
    rmSync(join(checkout.folder, "producers", "acme"), { recursive: true });
    expect((await call("producers", "list")).stdout).not.toContain("acme");
    expect(existsSync(join(checkout.folder, "dist", "producers", "acme"))).toBe(false);
  });

  it("adds new files, and changes none", () => {
    expect(checkout.status().filter((line) => !line.startsWith("?? producers/"))).toEqual([]);
    expect(checkout.changed()).toEqual(
      expect.arrayContaining([...connectors.map((connector) => `producers/${connector}/partners/lake.json`)]),
    );
  });
});
