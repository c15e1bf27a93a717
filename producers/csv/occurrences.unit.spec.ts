import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyedHash } from "../../engine/intake/keyed-hash.js";
import { surrogates } from "../../engine/intake/surrogate.js";
import { Occurrences } from "./occurrences.js";

/** The same, remembered in full. */
function plainly(): (subject: string, content: string) => { ordinal: number; repeated: boolean } {
  const last = new Map<string, { content: string; ordinal: number }>();
  return (subject, content) => {
    const before = last.get(subject);
    const repeated = before?.content === content;
    const ordinal = (before?.ordinal ?? 0) + (repeated ? 0 : 1);
    last.set(subject, { content, ordinal });
    return { ordinal, repeated };
  };
}

const surrogate = surrogates(keyedHash("ab".repeat(32)));
const idOf = (subject: string) => [surrogate("claim", "", "", subject), surrogate("remittance", "", "", "T1")];

describe("what the subjects of a file are told", () => {
  it("is numbered as if all of it were remembered in full", () => {
    const tellings = fc.array(fc.tuple(fc.nat(20_000), fc.nat(2)), { minLength: 200, maxLength: 2_000 });
    fc.assert(
      fc.property(tellings, (told) => {
        const [occurrences, expected] = [new Occurrences(), plainly()];
        for (const [subject, content] of told) {
          const occurrence = occurrences.add(idOf(`claim ${subject}`), Buffer.from(`row ${content}`));
          expect(occurrence).toEqual(expected(`claim ${subject}`, `row ${content}`));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("is numbered on, however often one of many thousands is told something else", () => {
    const [occurrences, expected] = [new Occurrences(), plainly()];
    for (let row = 0; row < 20_000; row++) {
      const subject = row % 20 === 0 ? "often" : `claim ${row}`;
      const content = `row ${row % 60 === 0 ? row - 20 : row}`;
      expect(occurrences.add(idOf(subject), Buffer.from(content))).toEqual(expected(subject, content));
    }
    expect(occurrences.add(idOf("often"), Buffer.from("last")).ordinal).toBeGreaterThan(600);
  });
});
