import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";

/** Version of this installation, from package.json. */
export const codeVersion: string = (
  JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as { version: string }
).version;
