import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { repositoryRoot } from "../../../engine/service/root.js";

/** Folder of the shared samples, for specs: TRIBUTARY_CORPUS, else `../shared/data` beside the repository. */
const corpus = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");

/** Whether the samples are here; says so once when they are not, so that a skipped spec is seen. */
export function hasCorpus(): boolean {
  const here = existsSync(join(corpus, "malformed", "CASES.json"));
  if (!here) console.log(`skipped: no samples at ${corpus} (TRIBUTARY_CORPUS)`);
  return here;
}

export const readSample = (path: string): Buffer => readFileSync(join(corpus, path));

/** A sample without its gzip. */
export function openSample(path: string): Buffer {
  const bytes = readSample(path);
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

export const readFacts = <Facts>(path: string): Facts => JSON.parse(readFileSync(join(corpus, path), "utf8")) as Facts;

/** Paths of the files below a folder of the samples, sorted, relative to the samples. */
export function samplesBelow(folder: string): string[] {
  return (readdirSync(join(corpus, folder), { recursive: true }) as string[])
    .map((path) => join(folder, path))
    .filter((path) => statSync(join(corpus, path)).isFile())
    .sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}
