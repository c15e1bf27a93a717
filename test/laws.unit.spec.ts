import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";
import { longSpecs } from "./long-specs.js";

/** Files that git knows or would take, by ending. */
function files(ending: RegExp): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  return listed.split("\n").filter((path) => ending.test(path));
}

const text = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");
const sources = files(/\.(ts|mjs|cjs)$/).filter((path) => !path.endsWith(".generated.ts"));

/** Laws that no tool for imports knows of; the others are in .dependency-cruiser.cjs. */
describe("the laws of the house", () => {
  it("no file is longer than 400 lines", () => {
    const long = sources.filter((path) => text(path).split("\n").length > 401);
    expect(long).toEqual([]);
  });

  it("no room is a bucket", () => {
    expect(sources.filter((path) => /(^|\/)(utils?|helpers?|common|manager|types|misc)(\.ts$|\/)/.test(path))).toEqual(
      [],
    );
  });

  it("the name of a spec says its level", () => {
    const specs = sources.filter((path) => /\.spec\.ts$/.test(path));
    expect(specs.filter((path) => !/\.(unit|int|e2e)\.spec\.ts$/.test(path))).toEqual([]);
    expect(specs.length).toBeGreaterThan(20);
    expect(longSpecs.filter((path) => !specs.includes(path))).toEqual([]);
  });

  it("nothing is hidden from the type checker, nothing is left for later", () => {
    const left = new RegExp(["@ts-(ignore|nocheck)", `TO${"DO"}`, `FIX${"ME"}`].join("|"));
    const own = "test/laws.unit.spec.ts";
    expect(sources.filter((path) => path !== own && left.test(text(path)))).toEqual([]);
  });

  it("the lock file names no registry", () => {
    expect(text("package-lock.json")).not.toMatch(/"resolved": "https?:/);
  });
});
