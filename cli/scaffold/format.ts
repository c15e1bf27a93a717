import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** Formats files that were written: with another name some lines are too long, or too short. Not without the tool. */
export function formatFiles(paths: readonly string[]): void {
  const tool = join(repositoryRoot, "node_modules", ".bin", "biome");
  const code = paths.filter((path) => /\.(ts|json)$/.test(path) && !path.includes("/samples/"));
  if (existsSync(tool)) spawnSync(tool, ["format", "--write", ...code], { cwd: repositoryRoot, stdio: "ignore" });
}
