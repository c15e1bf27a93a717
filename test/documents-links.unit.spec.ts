import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";

const listed = (...patterns: string[]) =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns], {
    cwd: repositoryRoot,
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(repositoryRoot, path)));
const text = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");

// A new connector's README stands one folder elsewhere.
const documents = listed("*.md").filter((path) => !path.startsWith("cli/scaffold/"));

describe("what documents point at is there", () => {
  it.each(documents)("in %s", (document) => {
    const links = [...text(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, path = ""]) => path);
    const missing = links.filter((path) => !existsSync(join(repositoryRoot, dirname(document), path)));
    // Paths in the house, as `engine/log/codec.ts`.
    const named = [
      ...text(document).matchAll(
        /`((?:engine|producers|consumers|projections|schemas|cli|stack|demo|docs)\/[\w./-]+\.\w+)`/g,
      ),
    ]
      .map(([, path = ""]) => path)
      .filter((path) => !existsSync(join(repositoryRoot, path)));
    expect([...missing, ...named]).toEqual([]);
  });

  it("in the code, of decisions and other documents", () => {
    const missing = listed("*.ts", "*.mjs").flatMap((path) =>
      [...text(path).matchAll(/docs\/[\w./-]+\.md/g)]
        .map(([found]) => found)
        .filter((found) => !existsSync(join(repositoryRoot, found))),
    );
    expect([...new Set(missing)]).toEqual([]);
  });
});
