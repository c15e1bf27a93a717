import type { GroupReport, InterchangeReport, SetReport } from "./check.js";
import type { InterchangeHeader } from "./envelope.js";
import type { SegmentError } from "./set-check.js";
import { acknowledgmentOf, isAcknowledged, isRejected, setCodes } from "./verdict.js";

/** IK502, AK905 and IK304 take at most five codes. */
const MOST_CODES = 5;

/**
 * Writes segments with the delimiters of the interchange answered. What is repeated of it may only contain them where an
 * ISA is wrong: a blank stands for them then.
 */
class Writer {
  readonly #element: string;
  readonly #terminator: string;
  readonly component: string;
  readonly #delimiters: RegExp;
  #text = "";

  constructor(header: InterchangeHeader) {
    this.#element = String.fromCharCode(header.delimiters.element);
    this.#terminator = String.fromCharCode(header.delimiters.terminator);
    this.component = String.fromCharCode(header.delimiters.component);
    const code = (byte: number) => `\\x${byte.toString(16).padStart(2, "0")}`;
    this.#delimiters = new RegExp(`[${code(header.delimiters.element)}${code(header.delimiters.terminator)}]`, "g");
  }

  /** Adds a segment; empty elements at its end are left out, as X12.6 asks. */
  add(...elements: readonly (string | number)[]): void {
    let length = elements.length;
    while (length > 1 && elements[length - 1] === "") length -= 1;
    const written = elements.slice(0, length).map((element) => String(element).replace(this.#delimiters, " "));
    this.#text += written.join(this.#element) + this.#terminator;
  }

  get text(): string {
    return this.#text;
  }
}

/** What an answer says about time and partner; passed in, so that the answer is a function of its arguments. */
export interface AnswerOptions {
  /** When we answer; written in UTC. */
  readonly now: Date;
  /** Give a TA1 although the interchange is accepted and did not ask. */
  readonly alwaysAcknowledge: boolean;
}

/**
 * The answer to an interchange: an interchange with a TA1 (when it was asked for, or says no), and a 999 (005010X231A1)
 * or for version 4010 a 997 a functional group. Null when nothing is to be said: an interchange of acknowledgments only.
 *
 * Control numbers are those received, so they are unique between the two as far as the sender's are. Where the TA1 rejects
 * the interchange, only groups with errors of their own are reported besides.
 */
export function answerTo(interchange: InterchangeReport, options: AnswerOptions): Buffer | null {
  const { header } = interchange;
  const rejected = interchange.note !== "000";
  const groups = interchange.groups.filter((group) => isAnswered(interchange, group));
  // An answer is never answered, whatever its header asks for: two that always answer would go on for ever.
  const onlyAnswers = interchange.acknowledges && interchange.groups.length === 0;
  const acknowledge = rejected || (!onlyAnswers && (header.acknowledgementRequested || options.alwaysAcknowledge));
  if (groups.length === 0 && !acknowledge) return null;
  const writer = new Writer(header);
  const day = options.now.toISOString().slice(0, 10).replaceAll("-", "");
  const time = options.now.toISOString().slice(11, 16).replace(":", "");
  const control = header.control.replace(/\D/g, "").slice(-9).padStart(9, "0");
  writer.add(...interchangeElements(header, control, day, time), writer.component);
  if (acknowledge) {
    writer.add("TA1", header.control, header.date, header.time, rejected ? "R" : "A", interchange.note);
  }
  for (const [index, group] of groups.entries()) writeGroup(writer, group, Number(control) + index, day, time);
  writer.add("IEA", groups.length, control);
  return Buffer.from(writer.text, "latin1");
}

function isAnswered(interchange: InterchangeReport, group: GroupReport): boolean {
  if (interchange.note === "025" || group.header.functionalId === "FA") return false;
  return interchange.note === "000" || group.codes.length > 0 || group.sets.some(isRejected);
}

/** Elements of ISA are as wide as the standard has them, also where the sender's were not: readers find the rest by that. */
const wide = (value: string, width: number): string => value.slice(0, width).padEnd(width);

function interchangeElements(header: InterchangeHeader, control: string, day: string, time: string): string[] {
  const { repetition } = header.delimiters;
  return [
    "ISA",
    "00",
    " ".repeat(10),
    "00",
    " ".repeat(10),
    wide(header.receiverQualifier, 2),
    wide(header.receiver, 15),
    wide(header.senderQualifier, 2),
    wide(header.sender, 15),
    day.slice(2),
    time,
    repetition === null ? "U" : String.fromCharCode(repetition),
    wide(header.version, 5),
    control,
    "0",
    wide(header.usage, 1),
  ];
}

function writeGroup(writer: Writer, group: GroupReport, control: number, day: string, time: string): void {
  const form = acknowledgmentOf(group);
  const guide = form === "999" ? "005010X231A1" : "004010";
  writer.add("GS", "FA", group.header.receiver, group.header.sender, day, time, control, "X", guide);
  writer.add("ST", form, "0001", form === "999" ? guide : "");
  let segments = 1;
  const add = (...elements: readonly (string | number)[]): void => {
    segments += 1;
    writer.add(...elements);
  };
  add("AK1", group.header.functionalId, group.header.control, form === "999" ? group.header.version : "");
  const groupRejected = group.codes.length > 0;
  for (const set of group.sets) {
    // A group that is rejected as such says nothing about sets without an error of their own.
    if (isAcknowledged(set) && (!groupRejected || isRejected(set))) writeSet(add, set, form, writer.component);
  }
  const accepted = groupRejected ? 0 : group.sets.filter((set) => !isRejected(set)).length;
  const declared = /^\d{1,6}$/.test(group.declared ?? "") ? Number(group.declared) : group.sets.length;
  add(
    "AK9",
    accepted === 0 ? "R" : accepted === group.sets.length ? "A" : "P",
    declared,
    group.sets.length,
    accepted,
    ...[...new Set(group.codes)].slice(0, MOST_CODES),
  );
  writer.add("SE", segments + 1, "0001");
  writer.add("GE", 1, control);
}

function writeSet(
  add: (...elements: readonly (string | number)[]) => void,
  set: SetReport,
  form: "997" | "999",
  component: string,
): void {
  const letter = form === "999" ? "IK" : "AK";
  // AK201 has three characters, whatever the set that nobody knows was called.
  add("AK2", set.header.set.slice(0, 3), set.header.control, form === "999" ? set.header.guide : "");
  for (const error of set.errors) writeError(add, error, letter, component);
  const codes = [...new Set(setCodes(set))].slice(0, MOST_CODES);
  // A 997 does not know the implementation codes (I5, I6): its nearest is 5.
  const known = form === "999" ? codes : codes.map((code) => (code.startsWith("I") ? "5" : code));
  add(`${letter}5`, isRejected(set) ? "R" : "A", ...known);
}

function writeError(
  add: (...elements: readonly (string | number)[]) => void,
  error: SegmentError,
  letter: "IK" | "AK",
  component: string,
): void {
  add(`${letter}3`, error.segment.slice(0, 3), error.position, "", error.code);
  for (const element of error.elements) {
    const place = element.component === null ? `${element.at}` : `${element.at}${component}${element.component}`;
    const code = letter === "AK" && element.code.startsWith("I") ? "7" : element.code;
    add(`${letter}4`, place, "", code);
  }
}
