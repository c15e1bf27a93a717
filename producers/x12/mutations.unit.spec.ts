import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { finishEvents } from "../../engine/intake/finish-events.js";
import { standaloneCodec } from "../../engine/log/codec.js";
import { corpusOrSkip } from "./testing/corpus.js";
import { deskOf, take } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";
import { mutate, mutations } from "./testing/mutations.js";
import { isSegment, Tokenizer } from "./tokenizer.js";

const folder = corpusOrSkip();
const largest = 20_000;

/** Real files of every kind of set, and of every format a fault of their own. */
const samples: readonly Buffer[] =
  folder === null
    ? []
    : ["linuxforhealth", "pyx12", "moov", "imsweb", "journeys"].flatMap((name) => {
        const files = readdirSync(join(folder, "x12", name)).map((file) =>
          readFileSync(join(folder, "x12", name, file)),
        );
        const small = files.filter(({ length }) => length < largest);
        return name === "journeys" ? small.slice(0, 12) : small;
      });

const good = interchange([claims837(...heading837, ...subscriber, ...claim)], { control: "000000999" });
const codec = standaloneCodec();

/** Damage that was once not survived. */
const remembered: readonly Parameters<typeof mutate>[1][] = [
  // A broken ISA right before a whole one.
  [
    { kind: "repeat", at: 0, length: 1 },
    { kind: "insert", at: 0, bytes: Uint8Array.of(0) },
    { kind: "swap", at: 0, length: 2 },
  ],
  // Elements of ISA moved into narrower ones.
  [
    { kind: "element", at: 0, value: "~" },
    { kind: "element", at: 0, value: "\u0000" },
  ],
];

/** A sample of each pair of separators. */
const remembering = samples.filter(
  (sample, index) => samples.findIndex((other) => other[3] === sample[3] && other[105] === sample[105]) === index,
);

describe.skipIf(folder === null)("a damaged sample, and an interchange after it", () => {
  it("are both answered, kept byte for byte, and only what is right makes events that the log can carry", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples), mutations, async (sample, damage) => {
        const bytes = Buffer.concat([mutate(sample, damage), good]);
        const desk = deskOf();
        const { report, answer, accepted } = await take(bytes, desk);

        const kept = desk.intake.units.filter(({ format }) => format !== "X12 answer");
        expect(Buffer.concat(kept.map((unit) => unit.bytes)).equals(bytes)).toBe(true);

        const last = report.interchanges.at(-1);
        expect(last).toMatchObject({ note: "000", complete: true });
        expect(desk.intake.published.filter(({ controlId }) => controlId?.value.startsWith("000000999/"))).toHaveLength(
          1,
        );

        // Every interchange has its answer, unless it was an answer itself, and what can't be read has a reason.
        const answers = [...new Tokenizer().push(answer)].filter(isSegment).filter(({ id }) => id === "ISA");
        const asking = report.interchanges.filter(
          ({ note, groups }) => note !== "000" || groups.some(({ header }) => header.functionalId !== "FA"),
        );
        expect(answers.length).toBeGreaterThanOrEqual(asking.length);
        const noise = kept.some(({ verdict }) => !verdict.accepted && verdict.code.startsWith("X12_NOT_AN"));
        expect(noise && report.problem === null).toBe(false);

        for (const unit of kept) {
          if (!unit.verdict.accepted) {
            expect(accepted).toBe(false);
            expect(unit.events).toEqual([]);
            continue;
          }
          const { verdict } = finishEvents(unit, {
            codec,
            connector: "x12",
            receiptId: "00000000-0000-4000-8000-000000000000",
            seal: (_event, _subject, plaintext) => plaintext,
            eventLimit: 900_000,
          });
          expect(verdict).toEqual({ accepted: true });
        }
      }),
      {
        numRuns: 300,
        examples: remembered.flatMap((damage) => remembering.map((sample) => [sample, damage] as const)),
      },
    );
  }, 60_000);
});
