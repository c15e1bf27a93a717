import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { nodeFlags } from "./node-flags.js";
import { repositoryRoot } from "./root.js";

it("the benchmark's contender is started with the flags of the engine's own processes", () => {
  const start = readFileSync(join(repositoryRoot, "bench/contender/start"), "utf8");
  expect(start).toContain(`node ${nodeFlags.join(" ")} `);
});
