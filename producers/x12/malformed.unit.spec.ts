import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { corpusOrSkip } from "./testing/corpus.js";
import { deskOf, type TestDesk, take } from "./testing/desk.js";
import { fulfils, wordsOf } from "./testing/words.js";

interface Case {
  readonly file: string;
  readonly wrong: string;
  readonly expect: string;
}

const folder = corpusOrSkip();
const cases: readonly Case[] =
  folder === null
    ? []
    : (JSON.parse(readFileSync(join(folder, "malformed", "CASES.json"), "utf8")) as Case[]).filter(({ file }) =>
        file.startsWith("malformed/x12/"),
      );

const accepted = ({ intake }: TestDesk): ReceivedUnit[] => intake.published;

/** Cases whose expectation is about more than the answer. */
const facts: Readonly<Record<string, (desk: TestDesk) => void>> = {
  "made-clm-total-differs.x12": (desk) => {
    expect(accepted(desk)).toHaveLength(8);
    expect(accepted(desk).filter((unit) => unit.flags?.includes("CHARGE_DIFFERS_FROM_LINES"))).toHaveLength(1);
  },
  "made-freq7-without-icn.x12": (desk) => {
    const [flagged, ...rest] = accepted(desk);
    expect(flagged!.flags).toContain("MISSING_PAYER_CONTROL_NUMBER");
    expect(flagged!.events).toEqual([]);
    expect(rest.every((unit) => unit.events.length === 1)).toBe(true);
  },
  "made-freq7-unknown-icn.x12": (desk) => expect(accepted(desk)[0]!.events[0]!.type).toBe("ClaimReplaced"),
  "made-freq8-unknown-icn.x12": (desk) => expect(accepted(desk)[0]!.events[0]!.type).toBe("ClaimVoided"),
  "made-835-unbalanced.x12": (desk) => {
    const event = accepted(desk)[0]!.events[0]!;
    expect(event.type === "RemittanceReceived" && event.fields.balanced).toBe(false);
    expect(accepted(desk)[0]!.flags).toContain("REMITTANCE_UNBALANCED");
  },
  "made-835-reversal-of-unknown.x12": (desk) => {
    expect(accepted(desk).flatMap((unit) => unit.events.map((event) => event.type))).toContain("ClaimPaymentReversed");
  },
  "made-duplicate-interchange.x12": (desk) => {
    expect(accepted(desk)).toHaveLength(8);
    const units = desk.intake.units.filter((unit) => unit.entry === "UNIT");
    expect(units).toHaveLength(16);
    expect(units.slice(8).every(({ verdict }) => !verdict.accepted && verdict.code === "DUPLICATE")).toBe(true);
  },
  "made-bom-before-isa.x12": (desk) => {
    expect(accepted(desk).every((unit) => unit.flags?.includes("BYTE_ORDER_MARK"))).toBe(true);
  },
  "made-truncated.x12": (desk) => expect(accepted(desk)).toEqual([]),
  "made-no-iea.x12": (desk) => expect(accepted(desk)).toEqual([]),
};

describe.skipIf(folder === null)("malformed and borderline interchanges", () => {
  it.each(cases)("$file: $wrong", async ({ file, expect: expectation }) => {
    const bytes = readFileSync(join(folder!, file));
    const desk = deskOf();
    const reception = await take(bytes, desk);
    const words = wordsOf(reception.answer);
    const told = fulfils(expectation, words, reception.report.problem !== null);
    expect(told, `${expectation} is not among: ${words.join(" ")}`).toBe(true);
    facts[file.split("/").at(-1)!]?.(desk);

    // Whatever it is, all of it is journalled, in order.
    const kept = desk.intake.units.filter((unit) => unit.format !== "X12 answer").map((unit) => unit.bytes);
    expect(Buffer.concat(kept).equals(bytes)).toBe(true);
    // What is rejected makes no event.
    for (const unit of desk.intake.units) if (!unit.verdict.accepted) expect(unit.events).toEqual([]);
  });

  it("are all there", () => expect(cases.length).toBeGreaterThan(35));
});
