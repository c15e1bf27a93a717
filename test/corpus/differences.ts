import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { repositoryRoot } from "../../engine/service/root.js";

/** A fact that is not as expected and has to stay so. */
interface Difference {
  /** Sample file or folder. */
  readonly file: string;
  readonly fact: string;
  readonly expected: unknown;
  readonly ours: unknown;
  /** The paragraph of the standard that makes it so. */
  readonly standard: string;
}

/** A difference that a connector's own list holds already, with the same facts. */
interface Reference {
  readonly file: string;
  readonly fact: string;
  /** Path of that list. */
  readonly see: string;
}

const read = <Entry>(path: string) => JSON.parse(readFileSync(join(repositoryRoot, path), "utf8")) as Entry[];

function resolved(entry: Difference | Reference): Difference {
  if (!("see" in entry)) return entry;
  const found = read<Difference>(entry.see).find(({ file, fact }) => file === entry.file && fact === entry.fact);
  if (!found) throw new Error(`${entry.see} lists no difference of ${entry.file} in ${entry.fact}`);
  return found;
}

/** Compares facts with what is expected, and lets pass what a checked-in list says has to differ, and only that. */
export class ListedDifferences {
  readonly #listed: readonly Difference[];
  readonly #seen = new Set<Difference>();

  constructor(path: string) {
    this.#listed = read<Difference | Reference>(path).map(resolved);
  }

  /** What our fact has to be: the expected one, or what the list says. */
  #wanted(file: string, fact: string, expected: unknown): unknown {
    const entry = this.#listed.find((each) => each.file === file && each.fact === fact);
    if (!entry) return expected;
    this.#seen.add(entry);
    expect(entry.expected, `the list's expected ${fact} of ${file}`).toEqual(expected);
    expect(entry.ours, `${fact} of ${file} is listed as a difference and is none`).not.toEqual(expected);
    expect(entry.standard, `the reason why ${fact} of ${file} differs`).toMatch(/\w/);
    return entry.ours;
  }

  /** Gives what differs of a file's expected facts, and isn't listed. What isn't expected isn't compared. */
  compare(
    file: string,
    expected: Readonly<Record<string, unknown>>,
    ours: Readonly<Record<string, unknown>>,
  ): Omit<Difference, "standard">[] {
    return Object.entries(expected).flatMap(([fact, value]) => {
      const wanted = this.#wanted(file, fact, value);
      return isDeepStrictEqual(ours[fact], wanted) ? [] : [{ file, fact, expected: wanted, ours: ours[fact] }];
    });
  }

  /** The same for a fact that our rows leave open: one of several. */
  compareAny(
    file: string,
    fact: string,
    expected: unknown,
    candidates: readonly unknown[],
  ): Omit<Difference, "standard">[] {
    const wanted = this.#wanted(file, fact, expected);
    return candidates.includes(wanted) ? [] : [{ file, fact, expected: wanted, ours: candidates }];
  }

  /** Entries that no comparison came across. */
  stale(): readonly Pick<Difference, "file" | "fact">[] {
    return this.#listed.filter((entry) => !this.#seen.has(entry)).map(({ file, fact }) => ({ file, fact }));
  }
}
