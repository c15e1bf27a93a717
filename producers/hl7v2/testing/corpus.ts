import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../../engine/service/root.js";

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

/**
 * Whether answers are what a case of the malformed samples expects: `AA|AE` either is fine, `AA,AR` one a message.
 * `none` is what gets no answer: blocks that are not complete, which never become messages.
 */
export function fulfils(expectation: string, answers: readonly (string | null)[]): boolean {
  const matches = ([first, ...others]: readonly string[], [answer, ...later]: readonly (string | null)[]): boolean => {
    if (first === undefined) return answer === undefined;
    const wanted = first.split("|");
    if (wanted.includes("none") && matches(others, answer === undefined ? [] : [answer, ...later])) return true;
    return typeof answer === "string" && wanted.includes(answer) && matches(others, later);
  };
  return matches(expectation.split(","), answers);
}
