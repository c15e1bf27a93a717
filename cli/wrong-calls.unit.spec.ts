import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Argument, Command, Option } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { errorDefinitions } from "../engine/service/error-definitions.js";
import { addCommands } from "./commands.js";
import { exitCodeOf, exitCodes } from "./exit-codes.js";
import { makeProgram } from "./program.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-wrong-calls-"));
const file = join(folder, "something");
const missing = join(folder, "missing");
const id = "1f0d2a5e-0000-0000-0000-000000000000";
const place = "health.visit.events/0/17";

beforeAll(() => writeFileSync(file, "something"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Services that are not there: who asks one of them first ends with another exit code. */
const nowhere = {
  TRIBUTARY_HOME: folder,
  KAFKA_BROKERS: "127.0.0.1:1",
  SCHEMA_REGISTRY_URL: "http://127.0.0.1:1",
  DATABASE_URL: "postgres://somebody:secret@127.0.0.1:1/nothing",
};
let environment: NodeJS.ProcessEnv;
beforeEach(() => {
  environment = process.env;
  process.env = { PATH: environment.PATH, HOME: environment.HOME, ...nowhere };
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => {
  process.env = environment;
  vi.restoreAllMocks();
});

/** The exit code of `tributary …`, called within this process. */
async function exitCode(words: readonly string[]): Promise<number> {
  const program = makeProgram();
  try {
    await addCommands(program, (name) => words.includes(name));
    await program.parseAsync([...words], { from: "user" });
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** By exit code the calls that end with it, before any service is asked. */
const wrongCalls: Readonly<Record<number, readonly (readonly string[])[]>> = {
  64: [
    ["fly"],
    ["run", "nothing"],
    ["audit", "trail", "payment", id],
    ["audit", "trail", "claim", "17"],
    ["audit", "trail", "claim", id, "--open"],
    ["audit", "trail", "claim", id, "--open", "--reason", " "],
    ["audit", "trail", "claim", id, "--by", "ada\nEXPORT"],
    ["audit", "as-of"],
    ["audit", "as-of", "claims"],
    ["audit", "as-of", "nothing", "--at", "2026-01-31"],
    ["audit", "as-of", "claims", "--at", "yesterday"],
    ["audit", "as-of", "claims", "--at", "2026-02-30"],
    ["audit", "as-of", "claims", "--at", "2026-01-31", "--of", "claim/17"],
    ["audit", "as-of", "claims", "--at", "2026-01-31", "--open"],
    ["audit", "as-of", "claims", "--at", "2026-01-31", "--open", "--sealed", "--reason", "appeal"],
    ["audit", "as-of", "--list", "--drop", "as_of_claims_7"],
    ["audit", "as-of", "claims", "--list"],
    ["audit", "diff", "nothing", "--from", "2026-01-01", "--to", "2026-01-31"],
    ["audit", "diff", "claims", "--from", "2026-01-31", "--to", "2026-01-01"],
    ["audit", "diff", "claims", "--from", "2026-01-01", "--to", "2026-01-31", "--open"],
    ["audit", "verify", "--topic", "health.nothing"],
    ["audit", "prove"],
    ["audit", "prove", "--topic", "health.claim.events"],
    ["audit", "prove", "--event", "e", "--offset", "0"],
    ["audit", "prove", "--event", "e", "--check", file],
    ["audit", "consistency"],
    ["audit", "consistency", "--from", "health.nothing/0/17"],
    ["audit", "consistency", "--from", "health.claim.events/0/17", "--to", "health.claim.events/0/9"],
    ["audit", "consistency", "--from", "health.claim.events/0/17", "--to", "health.claim.events/1/18"],
    ["audit", "package", "claim", "17"],
    ["audit", "package", "claim", id, "--open"],
    ["audit", "package", "claim", id, "2026-01-31"],
    ["audit", "package", "period", "2026-01-31"],
    ["audit", "package", "period", "2026-01-31", "2026-01-01"],
    ["audit", "package", "period", "2026-01-01", "2026-01-31", "--open", "--reason", "appeal"],
    ["audit", "access", "--since", "2026-02-01", "--until", "2026-01-01"],
    ["audit", "disclosures", "somebody"],
    ["events", "show", "17"],
    ["events", "show", "health.nothing/0/17"],
    ["intake", "retranslate", "--reason", "profile corrected", "--connector", "nothing", "--yes"],
    ["intake", "retranslate", "--reason", "corrected", "--since", "2026-02-01", "--until", "2026-01-01", "--yes"],
    ["parked", "list", "--projection", "nothing"],
    ["parked", "show", "nothing", place],
    ["parked", "retry", "nothing", place],
    ["parked", "retry", "visits"],
    ["parked", "retry", "visits", place, "--all"],
    ["parked", "skip", "nothing", place, "--reason", "sent in error"],
    ["parked", "park", "nothing", place, "--reason", "sent in error"],
    ["projections", "rebuild", "nothing"],
    ["projections", "swap", "nothing"],
    ["projections", "rollback", "nothing"],
    ["projections", "verify", "nothing"],
    ["producers", "run", "nothing"],
    ["producers", "new", "No Name"],
    ["producers", "new", "lab-feed", "--like", "nothing"],
    ["producers", "add-partner", "nothing", "lake"],
    ["producers", "add-partner", "hl7v2", "generic"],
    ["producers", "add-partner", "hl7v2", "lake", "--set", "nothing"],
    ["producers", "fields", "nothing"],
    ["producers", "restart", "nothing"],
    ["consumers", "run", "nothing"],
    ["consumers", "new", "No Name"],
    ["consumers", "restart", "nothing"],
    ["consumers", "grants", "nothing"],
    ["send", file, "--to", "nothing"],
    ["send", file],
    ["send", file, "--to", "hl7v2", "--url", "here"],
    ["send", file, "--to", "fhir", "--cert", file],
    ["send", file, "--to", "hl7v2", "--partner", "nobody", "--url", "mllp://127.0.0.1:1"],
    ["validate", file, "--to", "nothing"],
    ["validate", file, "--to", "hl7v2", "--partner", "nobody"],
    ["vault", "erase", "somebody", "--reason", "request"],
    ["vault", "erase", id],
    ["vault", "rotate"],
    ["bench", "projector", "--only", "nothing"],
    ["bench", "projector", "--events", "few"],
  ],
  65: [["audit", "consistency", "--from", file]],
  66: [
    ["audit", "consistency", "--from", missing],
    ["audit", "prove", "--check", missing, "--public-key", "ab".repeat(32)],
    ["audit", "prove", "--check", file, "--public-key", "ab".repeat(32), "--folder", missing],
    ["audit", "verify", "--segments", missing],
    ["audit", "verify", "--folder", missing],
    ["bench", "isolation", "--corpus", missing],
    ["producers", "add-partner", "hl7v2", "lake", "--auth", "certificate", "--cert", missing],
    ["send", missing, "--to", "hl7v2"],
    ["validate", file, missing, "--to", "hl7v2"],
  ],
  75: [["audit", "as-of", "claims", "--at", "2999-01-01"]],
  73: [
    ["audit", "package", "claim", id, "--out", join(missing, "claim.zip")],
    ["audit", "package", "claim", id, "--out", file],
    ["audit", "prove", "--event", "e", "--out", file],
    ["audit", "consistency", "--from", "health.claim.events/0/17", "--out", file],
    ["audit", "prove", "--event", "e", "--out", join(missing, "proof.json")],
    ["audit", "verifier", file],
  ],
};

/** Options that take what they are given: files, folders and texts, and names that a case above is about. */
const unchecked = new Set(
  (
    "--out --check --folder --segments --drop --event --from --to --partner --connector --code --projection --url " +
    "--seed --description --set --cert --cert-key --client-key --scope --scopes --ca --jwks --client-id --user --like " +
    "--profile --corpus --peers --only"
  ).split(" "),
);

interface Action {
  readonly path: string;
  readonly command: Command;
}
function actionsOf(command: Command, path: string): Action[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((inner) => actionsOf(inner, `${path} ${inner.name()}`.trim()));
}
const program = makeProgram();
await addCommands(program);
const actions = actionsOf(program, "");

/** Where a value comes in: it is read, or one of some. */
const isRead = ({ parseArg, argChoices }: Pick<Argument | Option, "parseArg" | "argChoices">) =>
  parseArg !== undefined || argChoices !== undefined;

describe("a wrong call", () => {
  const cases = Object.entries(wrongCalls).flatMap(([code, calls]) =>
    calls.map((words) => [Number(code), words] as const),
  );
  it.each(cases)("ends with %i, before any service is asked: %j", async (code, words) => {
    expect(await exitCode(words)).toBe(code);
  });

  it.each(actions.map(({ path, command }) => [path, command] as const))(
    "of %s is told in every part of it",
    async (path, command) => {
      const words = path.split(" ");
      expect(await exitCode([...words, "--nothing"])).toBe(64);
      const { registeredArguments: parts, options } = command;
      if (parts.some(({ required }) => required)) expect(await exitCode(words)).toBe(64);
      const given = [...parts.map(() => id), "one more"];
      if (!parts.some(({ variadic }) => variadic)) expect(await exitCode([...words, ...given])).toBe(64);
      for (const option of options) {
        if (option.isBoolean() || option.negate) continue;
        const name = String(option.long);
        // What no option takes: neither a number nor a name, a time, a text.
        if (isRead(option)) expect([name, await exitCode([...words, name, ""])]).toEqual([name, 64]);
        else expect([name, unchecked.has(name)]).toEqual([name, true]);
      }
      const isTaken = parts.some((part) => !isRead(part));
      const calls = Object.values(wrongCalls).flat();
      const isAlone = ["projections query", "projections drop"].includes(path);
      if (isTaken && !isAlone)
        expect(calls.map((call) => call.join(" "))).toContainEqual(expect.stringContaining(path));
    },
  );

  it("has an exit code that the table of exit codes explains, whatever goes wrong", () => {
    const told = new Set(exitCodes.map(([code]) => code));
    for (const [name, { exitCode: code }] of Object.entries(errorDefinitions)) {
      expect([name, told.has(code)]).toEqual([name, true]);
    }
  });
});
