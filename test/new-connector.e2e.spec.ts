import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkout, copyCheckout } from "./checkout.js";
import { tributary } from "./command.js";
import { startInstallation, type TestInstallation } from "./installation.js";
import { type Running, startCommand, untilReady } from "./running.js";

const name = "lab-feed";

let checkout: Checkout;
let installation: TestInstallation;
let running: Running | undefined;

const call = (...parameters: string[]) => tributary(installation.environment, parameters, checkout.folder);

beforeAll(async () => {
  checkout = copyCheckout();
  installation = await startInstallation({ names: ["publisher", "patients"] });
});
afterAll(async () => {
  running?.child.kill("SIGTERM");
  await running?.ended;
  await installation?.stop();
  checkout?.remove();
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
    running = startCommand(installation.environment, ["producers", "run", name], checkout.folder);
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
