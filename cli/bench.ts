import type { Command } from "commander";
import { runGenerate } from "../bench/generate.js";

export function registerBench(command: Command): void {
  command
    .command("generate")
    .description("HL7 v2 messages a second that the demo's region makes on one core, into nothing")
    .option("--messages <n>", "how many", "200000")
    .option("--seed <text>", "seed of the region", "bench")
    .option("--json", "one JSON object")
    .action((options: { messages: string; seed: string; json?: boolean }) => {
      runGenerate(["--messages", options.messages, "--seed", options.seed, ...(options.json ? ["--json"] : [])]);
    });
}
