import type { Command } from "commander";
import { readSettings } from "../engine/service/settings.js";
import { stopProcesses } from "../engine/service/stop.js";
import { stopStack } from "../stack/stack.js";
import { print } from "./output.js";

export function registerDown(command: Command): void {
  command.option("--keep-stack", "stop the processes only").action(async (options: { keepStack?: boolean }) => {
    const home = readSettings().TRIBUTARY_HOME;
    for (const name of await stopProcesses(home)) print(`stopped   ${name}`);
    if (!options.keepStack) await stopStack(home);
    print("down");
  });
}
