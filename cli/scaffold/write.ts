import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connectorNames, consumerNames } from "../../engine/service/discover.js";
import { TributaryError } from "../../engine/service/errors.js";
import { repositoryRoot } from "../../engine/service/root.js";
import { print } from "../output.js";

/**
 * Writes new folders into the checkout; nothing that is there is touched.
 * @param files path in the checkout -> content, by the name given.
 * @returns the paths written.
 * @throws TRIB_CLI_NAME_INVALID for a name that can't be a folder's, or is taken.
 */
export function writeScaffold(name: string, files: (name: string) => ReadonlyMap<string, string>): string[] {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    throw new TributaryError(
      "TRIB_CLI_NAME_INVALID",
      "A name has lower-case letters, digits and hyphens, at most 40, and starts with a letter.",
    );
  }
  const wanted = files(name);
  for (const path of wanted.keys()) {
    if (existsSync(join(repositoryRoot, path))) {
      throw new TributaryError("TRIB_CLI_NAME_INVALID", `${path} is there already.`);
    }
  }
  if (["publisher", ...connectorNames(), ...consumerNames()].includes(name)) {
    throw new TributaryError("TRIB_CLI_NAME_INVALID", `${name} is the name of another process.`);
  }
  for (const [path, content] of wanted) {
    mkdirSync(dirname(join(repositoryRoot, path)), { recursive: true });
    writeFileSync(join(repositoryRoot, path), content);
    print(`wrote  ${path}`);
  }
  print();
  return [...wanted.keys()];
}
