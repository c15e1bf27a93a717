import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { connectorNames, loadConnector } from "../engine/service/discover.js";
import { loadProfiles } from "../engine/service/profiles.js";
import { repositoryRoot } from "../engine/service/root.js";

const pageOf = (name: string) => join(repositoryRoot, "docs", "connectors", `${name}.md`);
const pages = connectorNames();

interface FieldSchema {
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly anyOf?: readonly FieldSchema[];
  readonly propertyNames?: { readonly enum?: readonly string[] };
}

/** Names that a map in a profile takes, where only some are. */
const namesOf = ({ properties = {}, items, anyOf = [], propertyNames }: FieldSchema): string[] => [
  ...(propertyNames?.enum ?? []),
  ...[...Object.values(properties), ...(items ? [items] : []), ...anyOf].flatMap(namesOf),
];

/** Fields of a profile, and those inside of fields and of lists, as `writing.charset`. */
function fieldsOf({ properties = {}, items, anyOf = [] }: FieldSchema, inside = ""): string[] {
  return [
    ...Object.entries(properties).flatMap(([name, schema]) => [
      `${inside}${name}`,
      ...fieldsOf(schema, `${inside}${name}.`),
    ]),
    ...(items ? fieldsOf(items, inside) : []),
    ...anyOf.flatMap((one) => fieldsOf(one, inside)),
  ];
}

/** Ways to prove who one is are the same for every connector, and told once. */
const shared = readFileSync(pageOf("fhir"), "utf8");

describe.each(pages)("docs/connectors/%s.md", (name) => {
  const text = readFileSync(pageOf(name), "utf8");

  it("has every field that a profile can set", async () => {
    const { profile } = await loadConnector(name);
    const fields = fieldsOf(z.toJSONSchema(profile, { io: "input", unrepresentable: "any" }) as FieldSchema);
    expect(fields.length).toBeGreaterThan(3);
    const isTold = (field: string) => {
      const page = field.startsWith("authentication.") ? shared : text;
      const last = field.split(".").at(-1);
      return page.includes(`\`${field}`) || (field !== last && page.includes(`\`${last}`));
    };
    expect(fields.filter((field) => field !== "description" && !isTold(field))).toEqual([]);
    const names = namesOf(z.toJSONSchema(profile, { io: "input", unrepresentable: "any" }) as FieldSchema);
    expect(names.filter((one) => !new RegExp(`\\b${one}\\b`).test(text))).toEqual([]);
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
