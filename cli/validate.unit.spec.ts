import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";
import { addCommands } from "./commands.js";
import { makeProgram } from "./program.js";

const sample = join(repositoryRoot, "producers/hl7v2/samples/accepted-admission.hl7");

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** What `tributary validate` prints of the sample, whose header is that of the partner north. */
async function validated(...options: readonly string[]): Promise<string> {
  let printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
  const program = makeProgram();
  await addCommands(program, (name) => name === "validate");
  await program.parseAsync(["validate", sample, "--to", "hl7v2", ...options], { from: "user" });
  return printed;
}

describe("tributary validate", () => {
  it("takes a message to be from whom its header names, where nobody else is asked for", async () => {
    expect(await validated()).toContain("from north: 1");
    expect(await validated("--partner", "generic")).toContain("from generic: 1");
  });
});
