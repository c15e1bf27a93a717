import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** Specs that need sample files from outside hold the original connector, not a copy. */
const outsideSamples = "testing/corpus.ts";

/** Imports of a file that lie in its own folder. */
function importsOf(folder: string, file: string): string[] {
  const text = readFileSync(join(folder, file), "utf8");
  return [...text.matchAll(/(?:from|import\() ?"(\.[^"]+)\.js"/g)]
    .map(([, path = ""]) => join(dirname(file), `${path}.ts`))
    .filter((path) => !path.startsWith(".."));
}

/** A file and all in its folder that it stands on. */
function closureOf(folder: string, file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const path of importsOf(folder, file)) closureOf(folder, path, found);
  return found;
}

/**
 * What `producers new NAME --like CONNECTOR` writes: the connector's own files under another name, with the specs that
 * need nothing from outside, its samples and its profile `generic`.
 * @returns path in the checkout -> content.
 */
export function connectorCopy(name: string, like: string): ReadonlyMap<string, string> {
  const folder = join(repositoryRoot, "producers", like);
  const below = (inner: string) => readdirSync(join(folder, inner), { withFileTypes: true });
  const files = closureOf(folder, "connector.ts");
  for (const { name: spec } of below(".")) {
    const closure = spec.endsWith(".spec.ts") ? closureOf(folder, spec) : new Set<string>();
    if (!closure.has(outsideSamples)) for (const file of closure) files.add(file);
  }
  for (const sample of below("samples")) files.add(join("samples", sample.name));
  files.add(join("partners", "generic.json"));
  const written = new Map<string, string>();
  for (const file of [...files].sort()) {
    const content = readFileSync(join(folder, file), "utf8");
    written.set(`producers/${name}/${file}`, file.endsWith(".ts") ? renamed(content, name, like) : content);
  }
  return written.set(`producers/${name}/README.md`, readme(name, like));
}

/** The connector's name stands in its code as one text; where it says who it is, it also says whose settings it has. */
const renamed = (content: string, name: string, like: string) =>
  content
    .replaceAll(`"${like}"`, `"${name}"`)
    .replace(`  name: "${name}",\n`, `  name: "${name}",\n  settingsOf: "${like}",\n`);

function readme(name: string, like: string): string {
  const prefix = (of: string) => `${of.toUpperCase().replaceAll("-", "_")}_`;
  return `# ${name}

Made from \`producers/${like}\`, whose [README](../${like}/README.md) says how it works and whose [page](../../docs/connectors/${like}.md) says what a profile can set. From here on the two have nothing to do with each other: change what this one makes of a message, and raise \`version\` in \`connector.ts\` when the same bytes would make other events.

- Its partners are in \`partners/\`: \`npx tributary producers add-partner ${name} PARTNER\`.
- Its settings are those of ${like} under its own name: \`${prefix(name)}…\` where ${like} has \`${prefix(like)}…\`; \`${name}=PORT\` in \`CONNECTOR_PORTS\`.
- Dropped files come to \`${name}\` under \`TRIBUTARY_HOME\`.
- What has been mended there since: \`git diff --no-index producers/${like} producers/${name}\`.
`;
}
