import { isUtf8 } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { TributaryError } from "../../engine/service/errors.js";
import { readDate } from "./element.js";
import {
  countIs,
  formatOf,
  type GroupHeader,
  groupHeaderOf,
  type InterchangeHeader,
  interchangeHeaderOf,
  type SetHeader,
  setHeaderOf,
} from "./envelope.js";
import type { Profile } from "./profile.js";
import { addToRefusals, noRefusals, type RefusedProviders } from "./refused-providers.js";
import { addToTotals, emptyTotals, type RemittanceTotals } from "./remittance-totals.js";
import { type Illegal, type SegmentError, SetCheck } from "./set-check.js";
import { isKnownVersion, setSyntax } from "./syntax.js";
import { isSegment, type Segment, type Token, type TokenizerProblem } from "./tokenizer.js";

/** What the first pass found about one transaction set. */
export interface SetReport {
  readonly header: SetHeader;
  /** IK502 codes; with `errors` empty and no code the set is good. */
  readonly codes: string[];
  readonly errors: SegmentError[];
  /** Segments counted, ST and SE included. */
  segments: number;
  /** SE01 as sent, null when there was no SE. */
  declared: string | null;
  /** Why a unit of it can't be taken although its syntax is right (its size, say). */
  refusal: { readonly code: string; readonly location: string } | null;
  /** Set for an 835. */
  readonly totals: RemittanceTotals | null;
  /** Of a 277CA. */
  readonly refused: RefusedProviders | null;
}

export interface GroupReport {
  readonly header: GroupHeader;
  /** AK905 codes. */
  readonly codes: string[];
  readonly sets: SetReport[];
  /** GE01 as sent. */
  declared: string | null;
}

export interface InterchangeReport {
  readonly header: InterchangeHeader;
  /** TA105 of the first envelope error; `000` when there is none. */
  note: string;
  readonly groups: GroupReport[];
  /** SHA-256 of the segments, line breaks between them left out. Set when the interchange has ended. */
  digest: string;
  /** It holds a TA1: an answer to an interchange of ours. */
  acknowledges: boolean;
  /** IEA was read. */
  complete: boolean;
  readonly byteOrderMark: boolean;
}

/** What the first pass found in a file or body: its interchanges, and why it could not be read to its end. */
export interface FileReport {
  readonly interchanges: InterchangeReport[];
  problem: { readonly code: TokenizerProblem | "EMPTY"; readonly offset: number } | null;
}

/** Most interchanges, groups and sets of a file or body. */
const mostEnvelopes = 500_000;
/** Errors of a file after which of each set only the first is told. */
const manyErrors = 10_000;

export interface CheckOptions {
  /** Most interchanges, groups and sets; default 500,000. */
  readonly envelopes?: number;
  /** The character set agreed with this sender. */
  characters(header: InterchangeHeader): Profile["characters"];
}

function literally(byte: number | null): string {
  return byte === null ? "" : `\\x${byte.toString(16).padStart(2, "0")}`;
}

const beyondAscii = /[\x80-\xff]/;

/** What no element may hold in a character set; null where any byte is a character. */
function illegalFor(characters: Profile["characters"], { delimiters }: InterchangeHeader): Illegal | null {
  if (characters === "latin-1") return null;
  if (characters === "utf-8") return (text) => beyondAscii.test(text) && !isUtf8(Buffer.from(text, "latin1"));
  const { element, component, repetition } = delimiters;
  const other = new RegExp(`[^\\x20-\\x7e${literally(element)}${literally(component)}${literally(repetition)}]`);
  return (text) => other.test(text);
}

/**
 * The first pass: envelopes, counts, control numbers and the syntax of every set (X12.5, X12.6, 999 and TA1 code lists).
 * Takes tokens in order; memory grows with the number of sets and errors, not with the bytes.
 */
export class InterchangeCheck {
  readonly report: FileReport = { interchanges: [], problem: null };
  readonly #options: CheckOptions;
  #hash: Hash | null = null;
  /** Bytes not yet digested. */
  #run: { readonly chunk: Buffer; readonly from: number; to: number } | null = null;
  #interchange: InterchangeReport | null = null;
  #group: GroupReport | null = null;
  #set: SetReport | null = null;
  #check: SetCheck | null = null;
  #illegal: Illegal | null = null;
  readonly #controls = new Set<string>();
  /** Interchanges, groups and sets so far. */
  #envelopes = 0;
  /** Errors of the sets so far. */
  #errors = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  accept(token: Token, byteOrderMark = false): void {
    if (!isSegment(token)) return;
    if (token.opens) this.#begin(token, byteOrderMark);
    this.#digest(token);
    if (token.kind === "truncated" || token.opens) return;
    const position = this.#set ? this.#set.segments + 1 : 0;
    switch (token.id) {
      case "IEA":
        this.#endInterchange(token);
        break;
      case "GS":
        this.#beginGroup(token);
        break;
      case "GE":
        this.#endGroup(token);
        break;
      case "ST":
        this.#beginSet(token);
        break;
      case "SE":
        this.#endSet(token, position);
        break;
      default:
        this.#inside(token, position);
    }
  }

  /** Adds a segment's content to the digest; runs of one chunk at once, since a call costs more than its bytes. */
  #digest({ chunk, from, to, lead }: Segment): void {
    if (!this.#hash) return;
    if (this.#run?.chunk === chunk && lead === 0 && this.#run.to === from) {
      this.#run.to = to;
      return;
    }
    this.#digestRun();
    this.#run = { chunk, from: from + lead, to };
  }

  #digestRun(): void {
    if (this.#run) this.#hash?.update(this.#run.chunk.subarray(this.#run.from, this.#run.to));
    this.#run = null;
  }

  #inside(segment: Segment, position: number): void {
    if (!this.#set) {
      // Only a TA1 may stand outside a set, between ISA and the first GS (X12.5).
      if (segment.id !== "TA1" || this.#group) this.#note("024");
      else if (this.#interchange) this.#interchange.acknowledges = true;
      return;
    }
    this.#set.segments = position;
    this.#check?.accept(segment, position);
    if (this.#set.totals) addToTotals(this.#set.totals, segment);
    if (this.#set.refused) addToRefusals(this.#set.refused, segment);
  }

  /** The stream has ended. @param problem why it could not be read to its end. */
  end(problem: FileReport["problem"]): FileReport {
    this.#cut();
    if (problem) this.report.problem = problem;
    else if (this.report.interchanges.length === 0) this.report.problem = { code: "EMPTY", offset: 0 };
    return this.report;
  }

  #note(code: string): void {
    if (this.#interchange && this.#interchange.note === "000") this.#interchange.note = code;
  }

  /** What is kept of each envelope until the end is little, and of a million all the same too much. */
  #count(): void {
    this.#envelopes += 1;
    const limit = this.#options.envelopes ?? mostEnvelopes;
    if (this.#envelopes > limit)
      throw new TributaryError("TRIB_RECEPTION_BODY_TOO_LARGE", undefined, { envelopes: limit });
  }

  #begin(segment: Segment, byteOrderMark: boolean): void {
    this.#count();
    this.#cut();
    const header = interchangeHeaderOf(segment);
    this.#illegal = illegalFor(this.#options.characters(header), header);
    this.#interchange = {
      header,
      note: "000",
      groups: [],
      digest: "",
      acknowledges: false,
      complete: false,
      byteOrderMark,
    };
    this.report.interchanges.push(this.#interchange);
    this.#hash = createHash("sha256");
    if (!/^00[345]\d\d$/.test(header.version)) this.#note("017");
    else if (!/^\d{9}$/.test(header.control)) this.#note("018");
    else if (readDate(`20${header.date}`) === null) this.#note("014");
  }

  /** Whatever is still open ends here without its trailer. */
  #cut(): void {
    if (!this.#interchange) return;
    this.#cutGroup();
    if (!this.#interchange.complete) this.#note("023");
    this.#digestRun();
    this.#interchange.digest = this.#hash!.digest("hex");
    this.#interchange = null;
    this.#hash = null;
  }

  #cutGroup(): void {
    this.#cutSet();
    if (this.#group) this.#group.codes.push("3");
    this.#group = null;
  }

  #cutSet(): void {
    if (!this.#set) return;
    this.#check?.cut(this.#set.segments);
    this.#set.codes.push("2");
    this.#closeSet();
  }

  #closeSet(): void {
    if (this.#set && this.#set.errors.length > 0 && !this.#set.codes.includes("5")) this.#set.codes.push("5");
    this.#errors += this.#set?.errors.length ?? 0;
    this.#set = null;
    this.#check = null;
  }

  #endInterchange(segment: Segment): void {
    if (!this.#interchange) return;
    this.#cutGroup();
    this.#interchange.complete = true;
    if (segment.elements[2]?.trim() !== this.#interchange.header.control.trim()) this.#note("001");
    else if (!countIs(segment.elements[1], this.#interchange.groups.length)) this.#note("021");
  }

  #beginGroup(segment: Segment): void {
    if (!this.#interchange) return;
    this.#count();
    this.#cutGroup();
    const header = groupHeaderOf(segment);
    if (header.functionalId === "" || header.control === "" || header.version === "") this.#note("024");
    this.#group = { header, codes: [], sets: [], declared: null };
    this.#interchange.groups.push(this.#group);
    this.#controls.clear();
    if (!isKnownVersion(header.version)) this.#group.codes.push("2");
  }

  #endGroup(segment: Segment): void {
    if (!this.#group) {
      this.#note("024");
      return;
    }
    this.#cutSet();
    this.#group.declared = segment.elements[1] ?? "";
    if (segment.elements[2]?.trim() !== this.#group.header.control) this.#group.codes.push("4");
    if (!countIs(segment.elements[1], this.#group.sets.length)) this.#group.codes.push("5");
    this.#group = null;
  }

  #beginSet(segment: Segment): void {
    if (!this.#group) {
      this.#note("024");
      return;
    }
    this.#count();
    this.#cutSet();
    const header = setHeaderOf(segment);
    const syntax = setSyntax[header.set];
    const set: SetReport = {
      header,
      codes: [],
      errors: [],
      segments: 1,
      declared: null,
      refusal: null,
      totals: header.set === "835" ? emptyTotals() : null,
      refused: formatOf(header, this.#group.header) === "277CA" ? noRefusals() : null,
    };
    if (!syntax) set.codes.push("1");
    if (header.control === "") set.codes.push("7");
    else if (this.#controls.has(header.control)) set.codes.push("23");
    this.#controls.add(header.control);
    if (header.guide !== "" && header.guide !== this.#group.header.version) set.codes.push("I6");
    this.#set = set;
    this.#group.sets.push(set);
    if (syntax) {
      this.#check = new SetCheck(syntax, this.#illegal, this.#errors > manyErrors ? 1 : undefined);
      // The checker's list is the report's, so that what it finds is seen while the set is still open.
      (set as { errors: SegmentError[] }).errors = this.#check.errors;
      this.#check.accept(segment, 1);
    }
  }

  #endSet(segment: Segment, position: number): void {
    if (!this.#set) {
      this.#note("024");
      return;
    }
    this.#set.segments = position;
    this.#check?.accept(segment, position);
    this.#set.declared = segment.elements[1] ?? "";
    if (segment.elements[2]?.trim() !== this.#set.header.control) this.#set.codes.push("3");
    if (!countIs(segment.elements[1], position)) this.#set.codes.push("4");
    this.#closeSet();
  }
}
