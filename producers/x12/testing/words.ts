import { isSegment, Tokenizer } from "../tokenizer.js";

/** What an answer says, in the words of the cases: `TA1:R:025`, `999:R:4`, `999:AK9R:5`, `999:IK4:8`, `997:R`, `A`. */
export function wordsOf(answer: Buffer): string[] {
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

/**
 * Whether an answer is what a case of the malformed samples expects.
 * @param problem the file was refused as a whole, with a reason
 */
export function fulfils(expectation: string, words: readonly string[], problem: boolean): boolean {
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
