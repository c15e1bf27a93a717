import { describe, expect, it } from "vitest";
import type { SendLine } from "../../engine/intake/connector.js";
import { type ConnectorBench, startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";
import { hasCorpus, readFacts, readSample } from "./testing/corpus.js";

interface Case {
  readonly file: string;
  readonly wrong: string;
  readonly answer: string;
  readonly expect: string;
}

const cases = hasCorpus()
  ? readFacts<Case[]>("malformed/CASES.json").filter(({ file }) => file.startsWith("malformed/fhir/"))
  : [];

/** `201`, `4xx`, `422`. */
function is(wanted: string, answer: string | null): boolean {
  return wanted.endsWith("xx") ? answer?.[0] === wanted[0] : answer === wanted;
}

/** Whether the answers are those wanted: `a|b` either is fine, `+flag` accepted with a flag, `200:a,b` one an entry. */
function fulfils(expectation: string, lines: readonly SendLine[], { intake }: ConnectorBench): boolean {
  const answers = lines.map(({ answer }) => answer);
  if (expectation === "4xx-atomic") {
    return answers.every((answer) => is("4xx", answer)) && intake.units.every(({ events }) => events.length === 0);
  }
  if (expectation.startsWith("200:")) {
    const each = expectation.slice(4).split(",");
    return each.length === answers.length && each.every((wanted, index) => is(wanted, answers[index] ?? null));
  }
  return expectation.split("|").some((wanted) => {
    // A claim for a patient who was never sent: taken, and its row waits for the patient's.
    if (wanted === "parked") return is("201", answers[0] ?? null) && intake.units[0]?.events.length === 1;
    if (!wanted.endsWith("+flag")) return answers.every((answer) => is(wanted, answer));
    return is(wanted.slice(0, 3), answers[0] ?? null) && (intake.units[0]?.flags?.length ?? 0) > 0;
  });
}

/** Place and code that the rejection has to name, by what is wrong. */
const told: Readonly<Record<string, readonly [code: string, location: string]>> = {
  "made-birthdate-30-february": ["FHIR_VALUE", "Patient.birthDate"],
  "made-birthdate-us-format": ["FHIR_VALUE", "Patient.birthDate"],
  "made-instant-without-zone": ["FHIR_VALUE", "Patient.meta.lastUpdated"],
  "made-unknown-modifier-extension": ["FHIR_EXTENSION", "Patient.modifierExtension[0]"],
  "made-bad-gender-code": ["FHIR_CODE_INVALID", "Patient.gender"],
  "made-id-illegal": ["FHIR_VALUE", "Patient.id"],
  "made-script-in-narrative": ["FHIR_INVARIANT", "Patient.text.div"],
  "made-duplicate-key": ["FHIR_STRUCTURE", "Resource.gender"],
  "made-total-as-string": ["FHIR_VALUE", "Claim.total.value"],
  "made-claim-status-typo": ["FHIR_CODE_INVALID", "Claim.status"],
  "made-encounter-no-class": ["FHIR_REQUIRED", "Encounter.class"],
  "made-encounter-end-before-start": ["FHIR_INVARIANT", "Encounter.period"],
  "made-wrong-resource-type": ["FHIR_NOT_SUPPORTED", "Resource.resourceType"],
};

describe.skipIf(cases.length === 0)("malformed and borderline resources", () => {
  it("are all there", () => expect(cases.length).toBeGreaterThan(30));

  it.each(cases)("$file: $wrong", async ({ file, expect: expectation }) => {
    const bench = await startConnectorBench(connector);
    try {
      const lines = await bench.send(readSample(file));
      const shown = lines.map(({ answer, code, location }) => `${answer} ${code} ${location}`).join("; ");
      expect(fulfils(expectation, lines, bench), `${expectation} is not ${shown}`).toBe(true);
      const wanted = told[file.split("/").at(-1)!.replace(/\..*$/, "")];
      if (wanted) expect([lines[0]?.code, lines[0]?.location]).toEqual(wanted);
      const units = bench.intake.units.filter(({ entry }) => entry === "UNIT");
      expect(units.length).toBeGreaterThan(0);
      for (const { verdict, events } of units) if (!verdict.accepted) expect(events).toEqual([]);
    } finally {
      await bench.close();
    }
  });
});
