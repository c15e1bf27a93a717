import { type Argument, Command } from "commander";
import { addCommands } from "./commands.js";
import { exitCodes } from "./exit-codes.js";

/** As a usage line has it: what may be left out in square brackets. */
function named(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "…" : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** `docs/commands.md`: every command with its description, arguments and options. */
export async function commandsDocument(): Promise<string> {
  const program = new Command("tributary");
  await addCommands(program);
  const lines = [
    "<!-- Made by `npm run docs` from cli/; a test compares. -->",
    "# Commands",
    "",
    "`npx tributary <command> --help` says more. A wrong call is told before any service is asked.",
    "",
    "| exit code | |",
    "| --- | --- |",
    ...exitCodes.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    "",
    "[errors.md](errors.md) has the exit code of each error.",
    "",
  ];
  const describe = (command: Command, path: string) => {
    const usage = command.registeredArguments.map((argument) => ` ${named(argument)}`).join("");
    if (command.commands.length === 0) {
      lines.push(`## ${path}${usage}`, "", `${command.description()}.`, "");
      const parts = [
        ...command.registeredArguments
          .map((argument) => ({ flags: named(argument), ...argument }))
          .filter(({ description }) => description !== ""),
        ...command.options,
      ];
      for (const { flags, description, argChoices: choices } of parts)
        lines.push(`- \`${flags}\`: ${description}${choices ? ` (${choices.join(", ")})` : ""}`);
      if (parts.length > 0) lines.push("");
    }
    for (const inner of command.commands) describe(inner, `${path} ${inner.name()}`);
  };
  for (const command of program.commands) describe(command, command.name());
  return `${lines.join("\n").trimEnd()}\n`;
}
