import { validateResource } from "@medplum/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";
import { loadDefinitions } from "./definitions.js";
import { type Element, isElement } from "./element.js";
import { hasCorpus, openSample, samplesBelow } from "./testing/corpus.js";
import { testDesk, unitsOf } from "./testing/desk.js";
import { problemsOf } from "./validate.js";

const here = hasCorpus();
const small = here ? [...samplesBelow("fhir/r4-examples"), ...samplesBelow("fhir/subscriptions")] : [];
const texts = small.map((path) => openSample(path).toString("utf8"));
const bundle = JSON.stringify({
  resourceType: "Bundle",
  type: "batch",
  entry: texts
    .map((text) => JSON.parse(text) as Element)
    .filter(({ resourceType }) => resourceType !== "Bundle")
    .slice(0, 6)
    .map((resource) => ({ resource, request: { method: "PUT", url: `${resource.resourceType}/${resource.id}` } })),
});

/** Bytes of a sample with some of them cut out, doubled, swapped or changed. */
const mutatedBytes = fc
  .record({
    text: fc.constantFrom(...(here ? [...texts, bundle] : ["{}"])),
    cuts: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        length: fc.nat(40),
        by: fc.uint8Array({ maxLength: 6 }),
      }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  })
  .map(({ text, cuts }) => {
    let bytes = Buffer.from(text);
    for (const { at, length, by } of cuts) {
      const place = Math.floor(at * bytes.length);
      bytes = Buffer.concat([bytes.subarray(0, place), by, bytes.subarray(place + length)]);
    }
    return bytes;
  });

/** Every place in a value, as the containers and keys that lead to it. */
function placesOf(value: unknown, found: { readonly holder: Record<string, unknown>; readonly key: string }[] = []) {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value as Record<string, unknown>, key });
    placesOf((value as Record<string, unknown>)[key], found);
  }
  return found;
}

const surprises = fc.constantFrom<unknown>(
  null,
  "",
  "x",
  " ",
  0,
  -1,
  1.5,
  1e300,
  true,
  [],
  {},
  [[]],
  [null],
  [{}],
  { a: 1 },
  "2024-02-30",
  "#x",
  "a b",
  "\u0000",
);

/** A sample with one place replaced, removed or added to. */
const mutatedValue = fc
  .record({
    text: fc.constantFrom(...(here ? texts : ['{"resourceType":"Patient"}'])),
    place: fc.nat(),
    surprise: surprises,
    how: fc.constantFrom("replace", "remove", "add", "twice"),
  })
  .map(({ text, place, surprise, how }) => {
    const value = JSON.parse(text) as Element;
    const places = placesOf(value).filter(({ key }) => key !== "resourceType");
    const { holder, key } = places[place % places.length]!;
    if (how === "replace") holder[key] = surprise;
    else if (how === "remove") delete holder[key];
    else if (how === "add" && !Array.isArray(holder)) holder[`${key}X`] = surprise;
    else holder[key] = [holder[key], holder[key]];
    return value;
  });

describe.skipIf(!here)("real resources, mutated", () => {
  it("are each answered, and the next one too", { timeout: 60_000 }, async () => {
    const bench = await startConnectorBench(connector);
    const sound = Buffer.from(texts[0]!);
    try {
      await fc.assert(
        fc.asyncProperty(mutatedBytes, async (bytes) => {
          const lines = await bench.send(bytes);
          expect(lines.length).toBeGreaterThan(0);
          for (const { accepted, code, answer } of lines) {
            expect(answer).toMatch(/^(200|201|4\d\d)$/);
            expect(code === null).toBe(accepted);
          }
          expect((await bench.send(sound))[0]?.accepted).toBe(true);
        }),
        { numRuns: 80 },
      );
    } finally {
      await bench.close();
    }
  });

  it("never fail a translation, and make no event unless accepted", async () => {
    const test = testDesk();
    await fc.assert(
      fc.asyncProperty(mutatedValue, async (value) => {
        const units = await unitsOf(Buffer.from(JSON.stringify(value)), false, test);
        for (const { verdict, events } of units) if (!verdict.accepted) expect(events).toEqual([]);
        expect(test.failures).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("are not taken by us when the library would refuse them", () => {
    loadDefinitions();
    const refuses = (value: Element): boolean => {
      try {
        validateResource(value as unknown as Parameters<typeof validateResource>[0]);
        return false;
      } catch {
        return true;
      }
    };
    fc.assert(
      fc.property(mutatedValue, (value) => {
        if (!isElement(value) || !refuses(value)) return;
        expect(problemsOf(value, { modifierExtensions: [] })).not.toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
