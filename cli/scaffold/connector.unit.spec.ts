import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { repositoryRoot } from "../../engine/service/root.js";
import { exerciseConnector } from "../../engine/testing/connector-suite.js";
import connector from "./connector/connector.js";
import { connectorScaffold } from "./connector.js";

// What is written is what is exercised; its code is imported from the template, which has the same.
const root = mkdtempSync(join(tmpdir(), "tributary-scaffold-"));
symlinkSync(join(repositoryRoot, "engine"), join(root, "engine"));
for (const [path, content] of connectorScaffold(connector.name)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
afterAll(() => rmSync(root, { recursive: true }));

exerciseConnector(connector.name, connector, root);

describe("the folder of a new connector", () => {
  it("has its name everywhere, and every part that a connector has", () => {
    const files = connectorScaffold("lab-feed");
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(
        [
          "connector.ts",
          "translate.ts",
          "translate.unit.spec.ts",
          "profile.ts",
          "partners/generic.json",
          "README.md",
        ].map((file) => `producers/lab-feed/${file}`),
      ),
    );
    for (const [path, content] of files) {
      expect(content, path).not.toContain("example");
      expect(content, path).not.toContain("../../../");
    }
    expect(files.get("producers/lab-feed/connector.ts")).toContain('name: "lab-feed"');
  });
});
