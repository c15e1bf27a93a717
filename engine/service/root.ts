import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("No package.json above the engine: it must run from its own checkout.");
  return findRoot(parent);
}

/** Absolute path of the checkout, the same from the sources and from `dist/`. */
export const repositoryRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Root of the code that runs: the checkout when it runs from the sources, else its `dist/`. */
export const codeRoot: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Root of the JavaScript that Node can run: `dist/` also for code that runs from the sources, as tests do. */
export const builtRoot: string = codeRoot === repositoryRoot ? join(repositoryRoot, "dist") : codeRoot;
