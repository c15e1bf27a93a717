import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { repositoryRoot } from "../../engine/service/root.js";
import { hasCorpus, openSample, readFacts, samplesBelow } from "./testing/corpus.js";
import { testDesk, unitsOf } from "./testing/desk.js";
import { expectedFacts, factsOf, type StatedFacts } from "./testing/facts.js";

interface Difference {
  readonly sample: string;
  readonly fact: string;
  readonly expected: unknown;
  readonly ours: unknown;
  readonly standard: string;
}

const listed = JSON.parse(
  readFileSync(join(repositoryRoot, "producers/fhir/differences.json"), "utf8"),
) as readonly Difference[];
const here = hasCorpus();
const facts = here
  ? readFacts<Record<"files" | "folders", Record<string, StatedFacts>>>("expected/fhir.json")
  : { files: {}, folders: {} };

/** Ids of patients that resources name, to say in the clear whom a surrogate id stands for. */
function patientIdsIn(text: string): string[] {
  const named = /"Patient\/([A-Za-z0-9.-]+)"|"resourceType": ?"Patient",\s*"id": ?"([^"]+)"/g;
  return [...text.matchAll(named)].map((found) => found[1] ?? found[2] ?? "");
}

async function take(paths: readonly string[], profile: object = {}) {
  const test = testDesk(profile);
  const units: ReceivedUnit[] = [];
  const ids = new Set<string>();
  for (const path of paths) {
    const bytes = openSample(path);
    for (const id of patientIdsIn(bytes.toString("utf8"))) ids.add(id);
    units.push(...(await unitsOf(bytes, path.includes(".ndjson"), test)));
  }
  expect(test.failures).toEqual([]);
  return { units, ours: factsOf(units, ids) };
}

/** What differs and is not listed, or is listed and does not differ. */
function differencesOf(sample: string, stated: StatedFacts, ours: Readonly<Record<string, unknown>>): unknown[] {
  const expected = expectedFacts(stated);
  const found = Object.entries(expected).filter(([fact, value]) => !isDeepStrictEqual(value, ours[fact]));
  const plain = found.map(([fact, value]) => ({ sample, fact, expected: value, ours: ours[fact] }));
  const known = listed
    .filter((one) => one.sample === sample)
    .map(({ fact, expected: value, ours: mine }) => ({ sample, fact, expected: value, ours: mine }));
  return isDeepStrictEqual(plain, known) ? [] : plain;
}

describe.skipIf(!here)(
  "the samples of FHIR give the facts that a plain reader found, but for the listed differences",
  () => {
    const profiles: Readonly<Record<string, object>> = {
      "prior-auth": JSON.parse(readFileSync(join(repositoryRoot, "producers/fhir/partners/davinci.json"), "utf8")),
    };

    it.each(["journeys", "r4-examples", "prior-auth", "subscriptions"])("%s", async (folder) => {
      const { ours } = await take(samplesBelow(`fhir/${folder}`), { ...profiles[folder], server: "generic" });
      expect(differencesOf(folder, facts.folders[folder]!, ours)).toEqual([]);
    });

    const bundles = here ? samplesBelow("fhir/synthea-hiv").filter((_, index) => index % 8 === 0) : [];

    it.each(bundles)("%s", async (path) => {
      const file = path.slice("fhir/".length);
      const { ours } = await take([path]);
      expect(differencesOf(file, facts.files[file]!, ours)).toEqual([]);
    });

    it("and every difference has its reason", () => {
      for (const { standard } of listed) expect(standard).toMatch(/\w/);
    });
  },
);
