import { isSegment, Tokenizer } from "./tokenizer.js";

/** What a partner reads in an answer about one of its interchanges. */
export interface ReadAnswer {
  /** TA105 when a TA1 rejected the interchange, else null. */
  readonly rejectedBy: string | null;
  readonly groups: readonly ReadGroup[];
}

interface ReadGroup {
  readonly form: string;
  /** AK102: GS06 of the group answered. */
  readonly control: string;
  readonly sets: ReadonlyMap<string, ReadSet>;
  /** AK901 and the first of AK905 to AK909. */
  readonly verdict: string;
  readonly code: string;
}

interface ReadSet {
  readonly accepted: boolean;
  /** First IK502. */
  readonly code: string;
  /** First error told: `X12_IK4_8` at `DTP03`. */
  readonly error: { readonly code: string; readonly location: string } | null;
}

interface OpenSet {
  accepted: boolean;
  code: string;
  segment: string;
  error: { code: string; location: string } | null;
}

/** Reads TA1, 999 and 997 out of an answer. @returns by ISA13 of the answer, which is that of the interchange answered, in order. */
export function readAnswers(bytes: Buffer): readonly ReadAnswer[] {
  const answers: { rejectedBy: string | null; groups: ReadGroup[] }[] = [];
  const tokenizer = new Tokenizer();
  let form = "";
  let control = "";
  let sets = new Map<string, ReadSet>();
  let set: OpenSet | null = null;
  for (const token of [...tokenizer.push(bytes), ...tokenizer.end()]) {
    if (!isSegment(token)) continue;
    const at = (index: number): string => token.elements[index] ?? "";
    const answer = answers.at(-1);
    switch (token.id) {
      case "ISA":
        answers.push({ rejectedBy: null, groups: [] });
        break;
      case "TA1":
        if (answer && at(4) === "R") answer.rejectedBy = at(5);
        break;
      case "ST":
        form = at(1);
        break;
      case "AK1":
        control = at(2);
        sets = new Map();
        break;
      case "AK2":
        set = { accepted: false, code: "", segment: "", error: null };
        sets.set(at(2), set);
        break;
      case "IK3":
      case "AK3":
        if (set) {
          set.segment = at(1);
          if (at(4) !== "8") set.error ??= { code: `X12_IK3_${at(4)}`, location: at(1) };
        }
        break;
      case "IK4":
      case "AK4": {
        const [place, component] = at(1).split(String.fromCharCode(token.delimiters.component));
        const location = `${set?.segment}${place?.padStart(2, "0")}${component ? `-${component}` : ""}`;
        if (set) set.error ??= { code: `X12_IK4_${at(3)}`, location };
        break;
      }
      case "IK5":
      case "AK5":
        if (set) {
          set.accepted = at(1) === "A" || at(1) === "E";
          set.code = at(2);
        }
        break;
      case "AK9":
        answer?.groups.push({ form, control, sets, verdict: at(1), code: at(5) });
        set = null;
    }
  }
  return answers;
}
