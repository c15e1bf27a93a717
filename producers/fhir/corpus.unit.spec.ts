import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { hasCorpus, openSample, readFacts, samplesBelow } from "./testing/corpus.js";
import { factsOf, testDesk, unitsOf } from "./testing/facts.js";

describe.skipIf(!hasCorpus())("the samples of FHIR", () => {
  const facts = hasCorpus() ? readFacts<{ folders: Record<string, any> }>("expected/fhir.json") : { folders: {} };
  it.each(["journeys", "synthea-hiv", "r4-examples", "prior-auth", "subscriptions"])("%s", async (folder) => {
    const test = testDesk();
    const units: ReceivedUnit[] = [];
    const ids = new Set<string>();
    const t = performance.now();
    for (const path of samplesBelow(`fhir/${folder}`)) {
      const bytes = openSample(path);
      const found = await unitsOf(bytes, path.includes(".ndjson"), test);
      for (const m of bytes.toString().matchAll(/"Patient\/([A-Za-z0-9.-]+)"|"resourceType": ?"Patient",\s*"id": ?"([^"]+)"/g)) ids.add((m[1] ?? m[2])!);
      units.push(...found);
      for (const { verdict, format } of found) if (!verdict.accepted) console.log(path, format, JSON.stringify(verdict));
    }
    console.log(folder, units.length, performance.now() - t, 'ms', test.failures.length);
    console.log(JSON.stringify(factsOf(units, ids)));
    console.log(JSON.stringify(facts.folders[folder]));
  });
});
