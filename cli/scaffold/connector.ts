import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** A connector that runs and passes its specs as it stands; the folder is a copy of it under another name. */
const template = join("cli", "scaffold", "connector");
const templateName = "example";

/** What `producers new NAME` writes: path in the checkout -> content. */
export function connectorScaffold(name: string): ReadonlyMap<string, string> {
  const files = readdirSync(join(repositoryRoot, template), { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => {
        const inside = path.slice(join(repositoryRoot, template).length + 1);
        return [`producers/${name}/${inside}`, renamed(readFileSync(path, "utf8"), name)];
      }),
  );
}

/** The template lies one folder deeper than the connectors do. */
const renamed = (content: string, name: string) =>
  content.replaceAll(templateName, name).replaceAll('"../../../', '"../../');
