import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { addCommands } from "./commands.js";
import { exitCodeOf } from "./exit-codes.js";
import { makeProgram } from "./program.js";

const home = mkdtempSync(join(tmpdir(), "tributary-down-"));
let environment: NodeJS.ProcessEnv;
const told: string[] = [];

beforeAll(() => {
  // As `tributary down` leaves it: nobody listens on these ports.
  const ports = { kafka: 1, controller: 2, registry: 3, postgres: 4 };
  const state = { format: 1, mode: "compose", ports, clusterId: "0123456789abcdef" };
  writeFileSync(join(home, "stack.json"), JSON.stringify(state));
});
afterAll(() => rmSync(home, { recursive: true }));
beforeEach(() => {
  environment = process.env;
  process.env = { PATH: environment.PATH, HOME: environment.HOME, TRIBUTARY_HOME: home };
  vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
});
afterEach(() => {
  process.env = environment;
  vi.restoreAllMocks();
});

/** What a command says on standard error, and its exit code. */
async function said(words: readonly string[]) {
  told.length = 0;
  const program = makeProgram();
  await addCommands(program, (name) => words.includes(name));
  const code = await program.parseAsync([...words.filter(Boolean)], { from: "user" }).then(() => 0, exitCodeOf);
  return { code, text: told.join("") };
}

it("a folder in which no stack was ever started is told as a setting that is not set, with what sets it", async () => {
  process.env.TRIBUTARY_HOME = join(home, "nothing");
  for (const words of [
    ["status"],
    ["audit", "verify"],
    ["audit", "trail", "claim", "00000000-0000-4000-8000-000000000001"],
  ])
    expect(await said(words)).toEqual({
      code: 78,
      text: expect.stringMatching(
        /^TRIB_CONFIG_INVALID: .*DATABASE_URL: is not set\. `tributary up` starts a local stack/,
      ),
    });
});

it.each([["status"], ["status", "--json"], ["parked", "list"], ["run"], ["topics", "check"]])(
  "a stack that is down is told as that, by %s %s",
  async (...words) => {
    const { code, text } = await said(words);
    expect(code).toBe(69);
    expect(text).toMatch(/^TRIB_STACK_DOWN: .*postgres, kafka, registry not running.*\n {2}`tributary up`/);
  },
);
