import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";
import { addCommands } from "./commands.js";
import { documents } from "./documents.js";
import { pathsWithExamples } from "./examples.js";

const program = new Command("tributary");
await addCommands(program);

/** Every command that does something, with its path. */
function actionsOf(command: Command, path: string): [string, Command][] {
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((inner) => actionsOf(inner, path === "" ? inner.name() : `${path} ${inner.name()}`));
}
const actions = actionsOf(program, "");

describe("the documents made from code", () => {
  it.each(Object.entries(documents))("%s is what the code says (npm run docs)", async (path, render) => {
    expect(readFileSync(join(repositoryRoot, path), "utf8")).toBe(await render());
  });

  it("have every command", async () => {
    const text = await documents["docs/commands.md"]?.();
    for (const [path] of actions) expect(text).toMatch(new RegExp(`^## ${path}( [<[].*)?$`, "m"));
  });
});

describe("the help of every command", () => {
  it.each(actions)("%s teaches: what it does, and an example to copy", (path, command) => {
    let help = "";
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    expect(command.description().length).toBeGreaterThan(20);
    expect(help).toContain(`Examples:\n  tributary ${path}`);
  });

  it("has no example of a command that isn't there", () => {
    const paths = actions.map(([path]) => path);
    expect(pathsWithExamples.filter((path) => !paths.includes(path))).toEqual([]);
  });
});
