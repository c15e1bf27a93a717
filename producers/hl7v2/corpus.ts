import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** Folder of the shared samples, for specs: TRIBUTARY_CORPUS, else `../shared/data` beside the repository. */
export const corpus = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");

/** Whether the samples are here; says so once when they are not, so that a skipped spec is seen. */
export function hasCorpus(): boolean {
  const here = existsSync(join(corpus, "malformed", "CASES.json"));
  if (!here) console.log(`skipped: no samples at ${corpus} (TRIBUTARY_CORPUS)`);
  return here;
}

export const readSample = (path: string): Buffer => readFileSync(join(corpus, path));

export const readFacts = <Facts>(path: string): Facts => JSON.parse(readFileSync(join(corpus, path), "utf8")) as Facts;

/** Paths of the files below a folder, sorted, relative to it. */
export function samplesBelow(folder: string): string[] {
  const root = join(corpus, folder);
  return (readdirSync(root, { recursive: true }) as string[])
    .filter((path) => statSync(join(root, path)).isFile())
    .sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}
