import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { corpusOrSkip } from "./testing/corpus.js";
import { deskOf, take } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";
import { isSegment, Tokenizer } from "./tokenizer.js";

/** A Python that has pyx12: named by TRIBUTARY_PYX12, else the machine's own. */
const python = process.env.TRIBUTARY_PYX12 ?? "python3";
const there = spawnSync(python, ["-c", "import pyx12"]).status === 0;
if (!there) console.log("Skipped: no Python with pyx12; set TRIBUTARY_PYX12 to the path of one.");

/** Reads a JSON list of interchanges; gives what pyx12 says of each: errors of its envelopes, and of its 999 or 997. */
const reader = `
import io, json, logging, sys
import pyx12.x12file, pyx12.params, pyx12.x12n_document
logging.disable(logging.CRITICAL)
out = []
for text in json.load(sys.stdin):
    found = pyx12.x12file.X12Reader(io.StringIO(text))
    errors, ids = [], []
    def take():
        for e in found.pop_errors(): errors.append(str(getattr(e, "err_cde", None) or e[1]))
    for segment in found:
        ids.append(segment.get_seg_id())
        take()
    found.cleanup()
    take()
    answer = io.StringIO()
    valid = True
    if "ST" in ids:
        valid = bool(pyx12.x12n_document.x12n_document(pyx12.params.params(), io.StringIO(text), answer, None, None))
    out.append({"errors": errors, "valid": valid, "answer": "" if valid else answer.getvalue()})
print(json.dumps(out))
`;

interface Finding {
  readonly errors: readonly string[];
  readonly valid: boolean;
  readonly answer: string;
}

function readIndependently(texts: readonly string[]): Finding[] {
  const { stdout, stderr, status } = spawnSync(python, ["-c", reader], {
    input: JSON.stringify(texts),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Finding[];
}

/** One text an interchange of the answer. */
function interchangesOf(answer: Buffer): string[] {
  const begins = new Tokenizer().push(answer).filter((token) => isSegment(token) && token.opens);
  return begins.map(({ offset }, index) => answer.toString("latin1", offset, begins[index + 1]?.offset));
}

const good = claims837(...heading837, ...subscriber, ...claim);

describe.skipIf(!there)("an independent reader finds our answers right", () => {
  it("for what is good, and for every kind of error", async () => {
    const bad = (from: string, to: string) =>
      claims837(...[...heading837, ...subscriber, ...claim].map((one) => one.replace(from, to)));
    const sets = [
      [good],
      [good, good],
      [bad("*D8*20260215", "*D8*20261315")],
      [bad("CLM*C1*100.5", "CLM*C1*1OO.5")],
      [bad("HL*2*1*22", "HL*2*9*22"), good],
      [bad("LX*1", "ZZZ*1")],
    ];
    const answers: string[] = [];
    for (const [index, made] of sets.entries()) {
      const control = String(index + 1).padStart(9, "0");
      answers.push(...interchangesOf((await take(interchange(made, { control, acknowledge: true }), deskOf())).answer));
    }
    expect(answers).toHaveLength(sets.length);
    for (const [index, finding] of readIndependently(answers).entries()) {
      expect(finding, answers[index]).toEqual({ errors: [], valid: true, answer: "" });
    }
  });

  const folder = corpusOrSkip();
  it.skipIf(folder === null)(
    "for the samples, malformed ones too",
    async () => {
      const files = [
        "x12/imsweb",
        "x12/linuxforhealth",
        "x12/moov",
        "x12/pyx12",
        "malformed/x12",
        "malformed/x12/real-imsweb",
      ].flatMap((name) =>
        readdirSync(join(folder!, name), { withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(folder!, name, entry.name)),
      );
      const told: { readonly file: string; readonly text: string }[] = [];
      for (const file of files) {
        const { answer } = await take(readFileSync(file), deskOf());
        for (const text of interchangesOf(answer)) told.push({ file, text });
      }
      expect(told.length).toBeGreaterThan(50);
      const findings = readIndependently(told.map(({ text }) => text));
      // It knows no control characters as delimiters, and no GS01 ZZ, which the answer has to repeat.
      const beyond = ["made-control-char-delimiters.x12", "made-unsupported-transaction.x12"];
      const wrong = findings.flatMap((finding, index) =>
        finding.errors.length > 0 || !finding.valid ? [{ ...told[index], ...finding }] : [],
      );
      expect(wrong.filter(({ file }) => !beyond.some((name) => file?.endsWith(name)))).toEqual([]);
    },
    60_000,
  );
});
