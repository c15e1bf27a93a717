import { existsSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../../engine/service/root.js";

/** Folder of the sample files, or null where it is absent. */
const corpus: string | null = (() => {
  const folder = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");
  return existsSync(join(folder, "x12")) ? folder : null;
})();

/** Prints, once, that tests are skipped. */
export function corpusOrSkip(): string | null {
  if (corpus === null) console.log("Skipped: the sample files are absent; set TRIBUTARY_CORPUS to their folder.");
  return corpus;
}
