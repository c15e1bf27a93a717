import { describe, expect, it } from "vitest";
import { connectorNames } from "../../engine/service/discover.js";
import { connectorCopy } from "./copy.js";

describe.each(connectorNames())("a connector like %s", (like) => {
  const files = connectorCopy("acme", like);
  const connector = files.get("producers/acme/connector.ts") ?? "";

  it("is whole: every file that one of its files imports is there", () => {
    for (const [path, content] of files) {
      for (const [, imported = ""] of content.matchAll(/from "\.\/([^"]+)\.js"/g)) {
        const folder = path.slice(0, path.lastIndexOf("/"));
        expect(files.has(`${folder}/${imported}.ts`), `${imported} in ${path}`).toBe(true);
      }
    }
    for (const part of ["README.md", "partners/generic.json"]) expect(files.has(`producers/acme/${part}`)).toBe(true);
    expect([...files.keys()].filter((path) => path.includes("/samples/accepted")).length).toBeGreaterThan(0);
    expect([...files.keys()].filter((path) => path.endsWith(".spec.ts")).length).toBeGreaterThan(0);
  });

  it("goes by its own name, and knows whose settings it has under it", () => {
    expect(connector).toContain(`name: "acme",\n  settingsOf: "${like}",`);
    for (const [path, content] of files)
      if (path.endsWith(".ts")) {
        expect(content.replace(`settingsOf: "${like}"`, ""), path).not.toContain(`"${like}"`);
      }
  });

  it("needs nothing from outside, and knows none of the other's partners", () => {
    for (const [path, content] of files) expect(content, path).not.toContain("TRIBUTARY_CORPUS");
    expect([...files.keys()].filter((path) => path.includes("/partners/"))).toEqual([
      "producers/acme/partners/generic.json",
    ]);
  });
});
