import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { connectorNames, loadConnector, loadProfiles } from "../engine/service/discover.js";
import { repositoryRoot } from "../engine/service/root.js";

const pageOf = (name: string) => join(repositoryRoot, "docs", "connectors", `${name}.md`);
const pages = connectorNames().filter((name) => existsSync(pageOf(name)));

interface FieldSchema {
  readonly properties?: Readonly<Record<string, FieldSchema>>;
}

/** Fields of a profile, those inside as `writing.charset`. */
function fieldsOf(schema: FieldSchema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, { properties }]) =>
    properties && name !== "totals" ? Object.keys(properties).map((inner) => `${name}.${inner}`) : [name],
  );
}

describe.each(pages)("docs/connectors/%s.md", (name) => {
  const text = readFileSync(pageOf(name), "utf8");

  it("has every field that a profile can set", async () => {
    const { profile } = await loadConnector(name);
    const fields = fieldsOf(z.toJSONSchema(profile, { io: "input", unrepresentable: "any" }) as FieldSchema);
    expect(fields.length).toBeGreaterThan(3);
    expect(fields.filter((field) => field !== "description" && !text.includes(`\`${field}`))).toEqual([]);
  });

  it("shows profiles that the connector takes", async () => {
    const connector = await loadConnector(name);
    for (const [, code = ""] of text.matchAll(/<!-- profile: \w+ -->\n```json\n([\s\S]*?)```/g)) {
      const root = mkdtempSync(join(tmpdir(), "tributary-page-"));
      mkdirSync(join(root, "producers", name, "partners"), { recursive: true });
      writeFileSync(join(root, "producers", name, "partners", "lake.json"), code);
      expect(loadProfiles(connector, true, root).get("lake")).toMatchObject({ facility: expect.any(String) });
      rmSync(root, { recursive: true });
    }
  });
});
