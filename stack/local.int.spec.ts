import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";
import { openPool } from "../engine/store/pool.js";
import { localProcesses } from "./local/local.js";
import { findStack, type StackProgress, startStack, stopStack } from "./stack.js";
import { readState } from "./state.js";

const home = mkdtempSync(join(tmpdir(), "tributary-local-"));

/** The environment without the services under which this spec itself may run, and without Docker. */
const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(KAFKA_|SCHEMA_REGISTRY_|DATABASE_|PG[A-Z]|TRIBUTARY_(?!CACHE))/.test(name),
  ),
);
environment.DOCKER_HOST = "tcp://127.0.0.1:1";
environment.TRIBUTARY_CACHE ??= join(tmpdir(), "tributary-test-cache");

async function start(): Promise<{
  readonly services: Awaited<ReturnType<typeof startStack>>;
  readonly told: string[];
}> {
  const told: string[] = [];
  const report = (progress: StackProgress) => {
    if ("service" in progress) told.push(`${progress.kind} ${progress.service}`);
  };
  return { services: await startStack({ home, environment, report }), told: told.sort() };
}

/** Starts the stack in another process and kills that when it has reported something. */
async function startAndKillAt(moment: (progress: StackProgress) => boolean): Promise<void> {
  const { build } = (await import(pathToFileURL(join(repositoryRoot, "bin", "build.mjs")).href)) as {
    readonly build: () => Promise<void>;
  };
  await build();
  const stack = pathToFileURL(join(repositoryRoot, "dist", "stack", "stack.js")).href;
  const script = `
    import { startStack } from ${JSON.stringify(stack)};
    const report = (progress) => process.stdout.write(JSON.stringify(progress) + "\\n");
    await startStack({ home: ${JSON.stringify(home)}, environment: process.env, report });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    if (!moment(JSON.parse(line) as StackProgress)) continue;
    child.kill("SIGKILL");
    break;
  }
  expect((await ended)[1]).toBe("SIGKILL");
}

async function query(databaseUrl: string, text: string): Promise<unknown[]> {
  const pool = openPool(databaseUrl, { applicationName: "tributary local stack spec", max: 1 });
  try {
    return (await pool.query(text)).rows as unknown[];
  } finally {
    await pool.end();
  }
}

async function subjects(registryUrl: string): Promise<unknown> {
  return (await fetch(`${registryUrl}/subjects`)).json();
}

describe("the local stack", { timeout: 240_000 }, () => {
  beforeAll(() => expect(readState(home)).toBeUndefined());
  afterAll(async () => {
    await stopStack(home, { environment });
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  it("comes up after a start that was killed while the services were starting", async () => {
    await startAndKillAt((progress) => progress.kind === "starting" && progress.service === "kafka");
    const { services, told } = await start();
    expect(services.mode).toBe("local");
    expect(told.filter((line) => /^(ready|found)/.test(line))).toHaveLength(3);
    expect(await findStack(home, environment)).toEqual(services);
    expect(statSync(services.kekFile).mode & 0o777).toBe(0o600);
  });

  it("is found by a second start, also by two at once", async () => {
    const before = await localProcesses(home);
    const [one, two] = await Promise.all([start(), start()]);
    expect(one).toEqual(two);
    expect(one.told).toEqual(["found kafka", "found postgres", "found registry"]);
    expect(await localProcesses(home)).toEqual(before);
  });

  it("keeps its data and addresses over a stop, and a killed service", async () => {
    const { services } = await start();
    await query(services.databaseUrl, "CREATE TABLE kept AS SELECT 42 AS answer");
    const registered = await fetch(`${services.registryUrl}/subjects/kept/versions`, {
      method: "POST",
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      body: JSON.stringify({ schema: '{"type":"string"}' }),
    });
    expect(registered.status).toBe(200);

    await stopStack(home, { environment });
    expect(await localProcesses(home)).toEqual({});
    expect(await findStack(home, environment)).toBeUndefined();
    expect((await start()).services).toEqual(services);
    expect(await query(services.databaseUrl, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    expect(await subjects(services.registryUrl)).toEqual(["kept"]);

    const { kafka } = await localProcesses(home);
    process.kill(kafka!, "SIGKILL");
    await expect.poll(() => localProcesses(home)).not.toHaveProperty("kafka");
    expect(await findStack(home, environment)).toBeUndefined();
    expect((await start()).told).toEqual(["found postgres", "found registry", "ready kafka", "starting kafka"]);
    expect(await subjects(services.registryUrl)).toEqual(["kept"]);
  });

  it("keeps no password-less way to the database", async () => {
    const { services } = await start();
    const url = new URL(services.databaseUrl);
    url.password = "wrong";
    await expect(query(url.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });

  it("names a port that another program has taken, and starts nothing", async () => {
    await stopStack(home, { environment });
    const port = readState(home)!.ports.kafka;
    const thief = createServer().listen(port, "127.0.0.1");
    await once(thief, "listening");
    await expect(start()).rejects.toMatchObject({ code: "TRIB_STACK_PORT_TAKEN", facts: { port, service: "kafka" } });
    expect(await localProcesses(home)).toEqual({});
    thief.close();
    await once(thief, "close");
    expect(await findStack(home, environment)).toBeUndefined();
  });

  it("tells the end of the log of a service that ends while it starts, leaves none half started, and comes up when all is well", async () => {
    const file = join(home, "data", "kafka", "meta.properties");
    const whole = readFileSync(file, "utf8");
    rmSync(file);
    const attempt = start();
    await expect(attempt).rejects.toMatchObject({ code: "TRIB_STACK_START_FAILED", facts: { service: "kafka" } });
    await expect(attempt).rejects.toThrow(join(home, "logs", "kafka.log"));
    expect(await localProcesses(home)).not.toHaveProperty("registry");
    writeFileSync(file, whole);
    expect((await start()).told).toContain("ready kafka");
  });
});
