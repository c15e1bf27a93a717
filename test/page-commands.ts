import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "./command.js";

/** Commands of a page that are marked `<!-- run: NAME -->`, by name, as they stand there. */
export function commandsOf(page: string): Map<string, string> {
  const text = readFileSync(page, "utf8");
  const blocks = [...text.matchAll(/<!-- run: (.+?) -->\n```sh\n([\s\S]*?)```/g)];
  return new Map(blocks.map(([, name = "", commands = ""]) => [name, commands]));
}

/** Runs a page's commands in a shell, in a checkout, until one fails. `npx tributary` is that of the checkout. */
export function runCommands(
  commands: string,
  checkout: string,
  environment: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  const own = `tributary() { "${process.execPath}" "${join(checkout, "bin/tributary.mjs")}" "$@"; }`;
  const script = `set -e\n${own}\n${commands.replaceAll("npx tributary", "tributary")}`;
  return new Promise((resolve) => {
    execFile("bash", ["-c", script], { cwd: checkout, env: environment }, (error, stdout, stderr) => {
      const code = (error as { readonly code?: unknown } | null)?.code;
      resolve({ exitCode: error ? (typeof code === "number" ? code : 1) : 0, stdout, stderr });
    });
  });
}
