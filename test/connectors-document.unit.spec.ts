import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConnector } from "../engine/service/discover.js";
import { loadProfiles } from "../engine/service/profiles.js";
import { repositoryRoot } from "../engine/service/root.js";

const text = readFileSync(join(repositoryRoot, "docs/connectors.md"), "utf8");
/** Blocks of code with what stands above them: `<!-- kind: about -->`. */
const blocks = [...text.matchAll(/<!-- (\w+): (.+?) -->\n```\w+\n([\s\S]*?)```/g)].map(
  ([, kind = "", about = "", code = ""]) => ({ kind, about, code }),
);
const ofKind = (kind: string) => blocks.filter((block) => block.kind === kind);

describe("docs/connectors.md", () => {
  it("marks every block of code, so that each is tried here", () => {
    expect(text.match(/^```(json|ts)$/gm)).toHaveLength(blocks.length);
    expect(ofKind("profile").length + ofKind("region").length).toBe(blocks.length);
  });

  it.each(ofKind("profile"))("shows a partner that $about takes", async ({ about, code }) => {
    const connector = await loadConnector(about);
    const root = mkdtempSync(join(tmpdir(), "tributary-document-"));
    const folder = join(root, "producers", about, "partners");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "lake.json"), code);
    expect(loadProfiles(connector, true, root).get("lake")).toMatchObject(JSON.parse(code));
    rmSync(root, { recursive: true });
  });

  it.each(ofKind("region"))("shows code as it is in $about", ({ about, code }) => {
    const [path = ""] = about.split(" ");
    expect(code.length).toBeGreaterThan(100);
    expect(readFileSync(join(repositoryRoot, path), "utf8")).toContain(code);
  });

  it("links to what is there", () => {
    const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, path = ""]) => join(repositoryRoot, "docs", path));
    expect(links.length).toBeGreaterThan(2);
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
  });
});
