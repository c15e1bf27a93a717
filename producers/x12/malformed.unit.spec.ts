import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { corpusOrSkip, deskOf, type TestDesk, take } from "./testing/corpus.js";
import { isSegment, Tokenizer } from "./tokenizer.js";

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

/** What an answer says, in the words of the cases: `TA1:R:025`, `999:R:4`, `999:AK9R:5`, `999:IK4:8`, `997:R`, `A`. */
function wordsOf(answer: Buffer): string[] {
  const words: string[] = [];
  let form = "999";
  const tokenizer = new Tokenizer();
  for (const token of [...tokenizer.push(answer), ...tokenizer.end()]) {
    if (!isSegment(token)) continue;
    const [id, first, second, , fourth] = token.elements;
    if (id === "TA1") words.push(`TA1:${fourth}:${token.elements[5]}`);
    if (id === "ST") form = first!;
    if (id === "IK3" || id === "AK3") words.push(`${form}:IK3:${fourth}`);
    if (id === "IK4" || id === "AK4") words.push(`${form}:IK4:${token.elements[3]}`);
    if (id === "IK5" || id === "AK5") {
      words.push(`${form}:${first}`, ...token.elements.slice(2).map((code) => `${form}:${first}:${code}`));
      if (first === "A") words.push("A");
    }
    if (id === "AK9" && first === "R") words.push(...token.elements.slice(5).map((code) => `${form}:AK9R:${code}`));
    if (second === undefined && id === "AK9") words.push(`${form}:AK9`);
  }
  return words;
}

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

function fulfils(expectation: string, words: readonly string[], problem: boolean): boolean {
  if (expectation === "A,A") return words.filter((word) => word === "A").length === 2;
  return expectation.split("|").some((one, index, all) => {
    // `999:IK3:7|2` means code 7 or code 2.
    const written = /^\w$/.test(one) && index > 0 ? all[0]!.replace(/\w$/, one) : one;
    if (written === "file") return problem;
    if (written === "A" || written === "999:A+flag" || written.startsWith("277CA") || written === "park") {
      return words.includes("999:A") && !words.some((word) => word.includes("R"));
    }
    if (written === "E") return words.includes("999:E");
    if (written === "997" || written === "TA1") return words.some((word) => word.startsWith(`${written}:R`));
    return words.includes(written);
  });
}

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
