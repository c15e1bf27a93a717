import { fitsDateFormat, isDecimal, isTime, readCents, readDate } from "./element.js";
import type { ElementRule, LoopRule, SetSyntax } from "./syntax.js";
import type { Segment } from "./tokenizer.js";

/** An error in one segment: what becomes an IK3 (or AK3) with its IK4s. */
export interface SegmentError {
  readonly segment: string;
  /** Place in the set, ST being 1. */
  readonly position: number;
  /** IK304. */
  readonly code: string;
  readonly elements: readonly ElementError[];
}

/** What becomes an IK4 (or AK4). The value itself is never repeated: it may name a person. */
export interface ElementError {
  readonly at: number;
  readonly component: number | null;
  /** IK403. */
  readonly code: string;
}

/** Whether a text (one character a byte) holds what is not of the character set agreed. */
export type Illegal = (text: string) => boolean;

/** Errors of a set that are kept, and of one segment; a set is rejected by the first, more only help its sender. */
const MOST_ERRORS = 100;
const mostOfSegment = 20;

function matcher(written: string): (segment: Segment) => boolean {
  const alternatives = written.split("|").map((one) => one.split("*"));
  return (segment) =>
    alternatives.some(([id, first]) => id === segment.id && (first === undefined || first === segment.elements[1]));
}

interface PreparedLoop {
  readonly rule: LoopRule;
  readonly after: ReadonlySet<string>;
  readonly allowed: ReadonlySet<string>;
  readonly requires: readonly { readonly id: string; readonly is: (segment: Segment) => boolean }[];
  readonly once: readonly ((segment: Segment) => boolean)[];
}

interface PreparedSyntax {
  readonly loops: readonly PreparedLoop[];
  readonly openers: ReadonlyMap<string, readonly PreparedLoop[]>;
  readonly known: ReadonlySet<string>;
  readonly afterName: ReadonlyMap<string, number>;
}

const prepared = new WeakMap<SetSyntax, PreparedSyntax>();

function prepare(syntax: SetSyntax): PreparedSyntax {
  const found = prepared.get(syntax);
  if (found) return found;
  const loops = syntax.loops.map((rule) => ({
    rule,
    after: new Set(rule.after),
    allowed: new Set(rule.allowed),
    requires: rule.requires.map((written) => ({ id: written.split(/[*|]/)[0]!, is: matcher(written) })),
    once: (rule.once ?? []).map(matcher),
  }));
  const openers = new Map<string, PreparedLoop[]>();
  for (const loop of loops) {
    const id = loop.rule.opens?.segment;
    if (id) openers.set(id, [...(openers.get(id) ?? []), loop]);
  }
  const known = new Set(loops.flatMap((loop) => [...loop.allowed, loop.rule.opens?.segment ?? "ST"]));
  const afterName = new Map(syntax.afterName.map((id, index) => [id, index]));
  const result = { loops, openers, known, afterName };
  prepared.set(syntax, result);
  return result;
}

/** Checks one transaction set, segment by segment, against the data of its syntax. */
export class SetCheck {
  readonly errors: SegmentError[] = [];
  readonly #syntax: SetSyntax;
  readonly #data: PreparedSyntax;
  readonly #most: number;
  readonly #illegal: Illegal | null;
  #loop: PreparedLoop;
  #have: Segment[] = [];
  /** Rank of the last segment after an N1 or NM1; -1 right after the name, null outside such a run. */
  #rank: number | null = null;
  #hierarchy = 0;

  /**
   * @param illegal null where any character is agreed.
   * @param most errors that are kept; default 100.
   */
  constructor(syntax: SetSyntax, illegal: Illegal | null, most = MOST_ERRORS) {
    this.#most = most;
    this.#syntax = syntax;
    this.#data = prepare(syntax);
    this.#illegal = illegal;
    this.#loop = this.#data.loops[0]!;
  }

  /** Takes a segment between ST and SE, both included. @param position its place in the set, ST being 1. */
  accept(segment: Segment, position: number): void {
    if (segment.id === "SE") {
      this.#leave(position, null);
      return;
    }
    this.#place(segment, position);
    this.#order(segment, position);
    const elements = this.#elements(segment);
    if (elements.length > 0) this.#add(segment.id, position, "8", elements);
  }

  /** The set ended without SE. */
  cut(position: number): void {
    this.#leave(position, null);
  }

  #add(segment: string, position: number, code: string, elements: readonly ElementError[] = []): void {
    if (this.errors.length < this.#most) this.errors.push({ segment, position, code, elements });
  }

  /** The loop ends at `position`; `next` opens there, or the set ends. */
  #leave(position: number, next: string | null): void {
    const { before } = this.#loop.rule;
    if (before && (next === null || !before.loops.includes(next))) this.#add(before.missing, position, "3");
    for (const needed of this.#loop.requires) {
      if (!this.#have.some(needed.is)) this.#add(needed.id, position, "3");
    }
    this.#have = [];
  }

  #place(segment: Segment, position: number): void {
    for (const loop of this.#data.openers.get(segment.id) ?? []) {
      const { at, values } = loop.rule.opens!;
      if (at !== undefined && !values!.includes(segment.elements[at] ?? "")) continue;
      if (!loop.after.has(this.#loop.rule.name)) {
        // An SBR right after the subscriber's HL opens nothing; it belongs to the loop that allows it.
        if (this.#loop.allowed.has(segment.id)) break;
        this.#add(segment.id, position, "2");
        return;
      }
      this.#leave(position, loop.rule.name);
      this.#loop = loop;
      this.#have.push(segment);
      return;
    }
    const { allowed, once } = this.#loop;
    if (!allowed.has(segment.id) && !allowed.has("*")) {
      this.#add(segment.id, position, this.#data.known.has(segment.id) ? "2" : "1");
      return;
    }
    // Only what a rule asks for is remembered, so that a loop of a million segments costs nothing.
    const asked = this.#loop.requires.some((needed) => needed.is(segment));
    for (const single of once) {
      if (single(segment) && this.#have.some(single)) this.#add(segment.id, position, isName(segment) ? "4" : "5");
    }
    if (asked || once.some((single) => single(segment))) {
      if (this.#have.length < 50) this.#have.push(segment);
    }
  }

  #order(segment: Segment, position: number): void {
    if (isName(segment)) {
      this.#rank = -1;
      return;
    }
    if (this.#rank === null) return;
    const rank = this.#data.afterName.get(segment.id);
    if (rank === undefined) this.#rank = null;
    else if (rank < this.#rank) this.#add(segment.id, position, "7");
    else this.#rank = rank;
  }

  #elements(segment: Segment): ElementError[] {
    const errors: ElementError[] = [];
    if (this.#illegal?.(segment.text)) {
      for (let at = 1; at < segment.elements.length && errors.length < mostOfSegment; at += 1) {
        if (this.#illegal(segment.elements[at]!)) errors.push({ at, component: null, code: "6" });
      }
    }
    for (const rule of this.#syntax.elements[segment.id] ?? []) {
      const error = elementError(segment, rule);
      if (error) errors.push(...error.filter((one) => !errors.some((other) => other.at === one.at)));
    }
    if (segment.id === "HL") this.#checkHierarchy(segment, errors);
    return errors;
  }

  /** HL01 counts from 1 without a gap; HL02 names a level before it (X12 guides, HL segment). */
  #checkHierarchy(segment: Segment, errors: ElementError[]): void {
    const own = Number(segment.elements[1]);
    const parent = segment.elements[2] ?? "";
    this.#hierarchy += 1;
    if (own !== this.#hierarchy) errors.push({ at: 1, component: null, code: "7" });
    if (parent !== "" && !(Number(parent) >= 1 && Number(parent) < this.#hierarchy)) {
      errors.push({ at: 2, component: null, code: "7" });
    }
  }
}

/** Beyond any element that names something (the standard has at most 80), and below what an index holds. */
const longestText = 500;

function isName(segment: Segment): boolean {
  return segment.id === "NM1" || segment.id === "N1";
}

function elementError(segment: Segment, rule: ElementRule): ElementError[] | null {
  const value = segment.elements[rule.at] ?? "";
  const { at } = rule;
  if (value === "") return rule.required ? [{ at, component: null, code: "1" }] : null;
  const fault = (code: string): ElementError[] => [{ at, component: null, code }];
  switch (rule.type) {
    case "text":
      if (rule.required && value.trim() === "") return fault("1");
      return value.length > longestText ? fault("5") : null;
    case "number":
      return /^-?\d+$/.test(value) ? null : fault("6");
    case "decimal":
      return isDecimal(value) ? null : fault("6");
    case "money": {
      const read = readCents(value);
      if ("cents" in read) return null;
      // I12: the guides ask for at most two decimals; the base standard does not.
      return fault({ character: "6", precision: "I12", size: "5" }[read.fault]);
    }
    case "date":
      return readDate(value) === null ? fault("8") : null;
    case "time":
      return isTime(value) ? null : fault("9");
    case "dated":
      return fitsDateFormat(segment.elements[at - 1] ?? "", value) ? null : fault("8");
    case "composite": {
      const parts = value.split(String.fromCharCode(segment.delimiters.component));
      if (parts[0]!.trim() !== "") return null;
      const blank = { at, component: 1, code: "7" };
      return (parts[1] ?? "").trim() === "" ? [blank, { at, component: 2, code: "1" }] : [blank];
    }
  }
}
