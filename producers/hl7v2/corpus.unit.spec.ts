import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../../engine/service/root.js";
import { fulfils, hasCorpus, readFacts, readSample, samplesBelow } from "./testing/corpus.js";
import {
  counts,
  identifierLines,
  listing,
  readSampleMessages,
  type SampleMessage,
  survivorLines,
  visitLines,
} from "./testing/facts.js";

interface Listing {
  readonly count: number;
  readonly sha256: string;
}

interface Facts {
  readonly messages: number;
  readonly by_type: Record<string, number>;
  readonly patient_identifiers?: Listing | readonly string[];
  readonly visits?: Listing;
  readonly visits_event_time_sha256?: string;
  readonly merges?: { readonly survivor_listing: string };
  readonly duplicates?: { readonly distinct_contents: number };
  readonly malformed?: readonly { readonly index: number; readonly ack: string }[];
  readonly malformed_count?: number;
}

interface Difference {
  readonly file: string;
  readonly fact: string;
  readonly expected: unknown;
  readonly ours: unknown;
  readonly standard: string;
}

/** Our facts of some messages, in the words of the expected ones. */
function factsOf(messages: readonly SampleMessage[], expected: Facts): Record<string, unknown> {
  const refused = messages.flatMap(({ read }, index) =>
    read.unit.verdict.accepted ? [] : [{ index, ack: read.unit.answer(read.unit.verdict) }],
  );
  const identifiers = identifierLines(messages);
  const isListing = expected.patient_identifiers !== undefined && "sha256" in expected.patient_identifiers;
  const identifierSample = [...new Set(identifiers.map((line) => line.replace(/\t.*\t/, "|")))].sort().slice(0, 6);
  return {
    messages: messages.length,
    by_type: counts(
      messages.map(({ read }) => (read.unit.format.includes("^") ? read.unit.format : `${read.unit.format}^`)),
    ),
    patient_identifiers: isListing ? listing(identifiers) : identifierSample,
    visits: listing(visitLines(messages, "arrival")),
    visits_event_time_sha256: listing(visitLines(messages, "event time")).sha256,
    merges: listing(survivorLines(messages)).sha256,
    distinct_contents: new Set(messages.map(({ content }) => content)).size,
    malformed: refused,
  };
}

function expectedFacts(facts: Facts): Record<string, unknown> {
  const identifiers = facts.patient_identifiers;
  return {
    messages: facts.messages,
    by_type: facts.by_type,
    patient_identifiers:
      identifiers && "sha256" in identifiers ? { count: identifiers.count, sha256: identifiers.sha256 } : identifiers,
    visits: facts.visits && { count: facts.visits.count, sha256: facts.visits.sha256 },
    visits_event_time_sha256: facts.visits_event_time_sha256,
    merges: facts.merges?.survivor_listing,
    distinct_contents: facts.duplicates?.distinct_contents,
    malformed: (facts.malformed ?? []).map(({ index, ack }) => ({ index, ack })),
  };
}

/** Facts that are there and differ. What the expected facts leave out is not compared. */
function differencesOf(file: string, messages: readonly SampleMessage[], facts: Facts): Omit<Difference, "standard">[] {
  const ours = factsOf(messages, facts);
  return Object.entries(expectedFacts(facts)).flatMap(([fact, expected]) =>
    expected === undefined || JSON.stringify(expected) === JSON.stringify(ours[fact])
      ? []
      : [{ file, fact, expected, ours: ours[fact] }],
  );
}

describe.skipIf(!hasCorpus())("the samples of HL7 v2", () => {
  it("give the facts that independent libraries found, but for the listed differences", () => {
    const facts = readFacts<{ files: Record<string, Facts>; folders: Record<string, Facts> }>("expected/hl7v2.json");
    const found: Omit<Difference, "standard">[] = [];
    const folders = new Map<string, SampleMessage[]>();
    const compared = new Set<string>();
    for (const path of samplesBelow("hl7v2")) {
      const messages = readSampleMessages(readSample(join("hl7v2", path)));
      folders.set(dirname(path), [...(folders.get(dirname(path)) ?? []), ...messages]);
      const expected = facts.files[path];
      if (expected === undefined) continue;
      compared.add(path);
      found.push(...differencesOf(path, messages, expected));
    }
    for (const [folder, expected] of Object.entries(facts.folders)) {
      found.push(...differencesOf(folder, folders.get(folder) ?? [], expected));
    }
    expect(compared.size).toBe(Object.keys(facts.files).length);
    const listed = JSON.parse(
      readFileSync(join(repositoryRoot, "producers/hl7v2/differences.json"), "utf8"),
    ) as Difference[];
    expect(found).toEqual(listed.map(({ file, fact, expected, ours }) => ({ file, fact, expected, ours })));
    for (const { standard } of listed) expect(standard).not.toBe("");
  });
});

interface Case {
  readonly file: string;
  readonly expect: string;
}

describe.skipIf(!hasCorpus())("malformed and borderline messages", () => {
  const cases = hasCorpus()
    ? readFacts<Case[]>("malformed/CASES.json").filter(({ file }) => file.startsWith("malformed/hl7v2/"))
    : [];

  it("are all there", () => expect(cases.length).toBeGreaterThan(50));

  it.each(cases)("$file: $expect", ({ file, expect: wanted }) => {
    const answers = readSampleMessages(readSample(file)).map(({ read }) => read.unit.answer(read.unit.verdict));
    expect(fulfils(wanted, answers), `${wanted} is not ${answers}`).toBe(true);
  });

  it("make events only when accepted", () => {
    for (const { file } of cases) {
      for (const { read } of readSampleMessages(readSample(file))) {
        if (!read.unit.verdict.accepted) expect(read.unit.events).toEqual([]);
      }
    }
  });
});
