import { isSegment, type Segment, type Token } from "./tokenizer.js";

/**
 * What a slice of the stream is. `claim`, `payment`, `remittance`, `member`, `set` and `acknowledgment` are units; the
 * rest surrounds them. `subscriber`: people whose claims lie elsewhere (or nowhere). `member`: what a status, an
 * eligibility or an enrolment set says of one person. `acknowledgment`: a TA1. `between`: LX, TS3, PLB and other segments
 * of no unit.
 */
export type SliceKind =
  | "isa"
  | "gs"
  | "heading"
  | "subscriber"
  | "claim"
  | "remittance"
  | "payment"
  | "member"
  | "set"
  | "acknowledgment"
  | "between"
  | "trailer"
  | "iea"
  | "noise";

/** A run of bytes that is journalled as one entry. Slices in order are the whole stream. */
export interface Slice {
  readonly kind: SliceKind;
  readonly segments: readonly Segment[];
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** It goes on where the slice before it was cut for its size. */
  readonly continued: boolean;
}

/** Kinds that get a verdict of their own and are counted. */
export const unitKinds: ReadonlySet<SliceKind> = new Set<SliceKind>([
  "claim",
  "remittance",
  "payment",
  "member",
  "set",
  "acknowledgment",
]);

/** Sets whose people stand at levels of a hierarchy: status and eligibility. */
const hierarchical: ReadonlySet<string> = new Set(["270", "271", "276", "277"]);
/** Levels (HL03) of a person: subscriber, dependent, and the patient of a 277CA. */
const personLevels: ReadonlySet<string> = new Set(["22", "23", "PT"]);
/** Segments that say more of a subscriber than who it is: a dependent after one of these stands in a slice of its own. */
const saysSomething: ReadonlySet<string> = new Set(["TRN", "STC", "EQ", "EB", "AAA"]);

/** A run of bytes in one chunk. */
interface Piece {
  readonly chunk: Buffer;
  readonly from: number;
  to: number;
}

/** Joins pieces; without copying where they are one. */
function join(pieces: readonly Piece[]): Uint8Array {
  const runs = pieces.map(({ chunk, from, to }) => chunk.subarray(from, to));
  return runs.length === 1 ? runs[0]! : Buffer.concat(runs);
}

/**
 * The second pass: puts segments together into slices.
 *
 * A claim (837) takes the subscriber and patient levels that stand right before it, so that what names a person is in a
 * unit sealed under that person's key. A payment (835) takes the LX before it. A status or eligibility set (270, 271, 276,
 * 277) and an enrolment (834) are cut before each person; a dependent takes the subscriber right before it. Other sets are
 * one slice, and each TA1 is. What is larger than `longest` is cut there, so memory stays flat; such a unit has been refused before.
 */
export class Splitter {
  readonly #longest: number;
  #kind: SliceKind | null = null;
  #segments: Segment[] = [];
  #pieces: Piece[] = [];
  #size = 0;
  #offset = 0;
  #set = "";
  #continued = false;
  readonly #done: Slice[] = [];

  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Takes tokens in order and gives the slices complete with them. */
  push(tokens: readonly Token[]): Slice[] {
    for (const token of tokens) {
      if (isSegment(token)) this.#take(token);
      else this.#append(token.kind === "blank" ? (this.#kind ?? "noise") : this.#startNoise(), token);
    }
    return this.#done.splice(0);
  }

  /** Gives the last slice. */
  end(): Slice[] {
    this.#flush();
    return this.#done.splice(0);
  }

  #startNoise(): SliceKind {
    if (this.#kind !== "noise") this.#flush();
    return "noise";
  }

  #take(segment: Segment): void {
    const kind = this.#kindOf(segment);
    if (kind.fresh) this.#flush();
    this.#kind = kind.kind;
    this.#segments.push(segment);
    this.#append(kind.kind, segment);
  }

  #append(kind: SliceKind, token: Token): void {
    const size = token.to - token.from;
    if (this.#size > 0 && this.#size + size > this.#longest) {
      const last = this.#segments.at(-1) === token ? this.#segments.pop() : undefined;
      this.#flush();
      this.#continued = true;
      if (last) this.#segments.push(last);
    }
    this.#kind = kind;
    if (this.#size === 0) this.#offset = token.offset;
    const piece = this.#pieces.at(-1);
    if (piece?.chunk === token.chunk && piece.to === token.from) piece.to = token.to;
    else this.#pieces.push({ chunk: token.chunk, from: token.from, to: token.to });
    this.#size += size;
  }

  #flush(): void {
    if (this.#kind !== null && this.#size > 0) {
      this.#done.push({
        kind: this.#kind,
        segments: this.#segments,
        bytes: join(this.#pieces),
        offset: this.#offset,
        continued: this.#continued,
      });
    }
    this.#continued = false;
    this.#kind = null;
    this.#segments = [];
    this.#pieces = [];
    this.#size = 0;
  }

  /** Kind of the slice that the segment belongs to, and whether it starts a new one. */
  #kindOf(segment: Segment): { readonly kind: SliceKind; readonly fresh: boolean } {
    const open = this.#kind;
    const stay = (kind: SliceKind) => ({ kind, fresh: false });
    const start = (kind: SliceKind) => ({ kind, fresh: true });
    switch (segment.id) {
      case "ISA":
        // A broken one begins no interchange; it belongs to what it broke into.
        if (!segment.opens) break;
        this.#set = "";
        return start("isa");
      case "GS":
        this.#set = "";
        return start("gs");
      case "GE":
        this.#set = "";
        return start("trailer");
      case "IEA":
        this.#set = "";
        return start("iea");
      case "ST":
        this.#set = segment.elements[1] ?? "";
        if (this.#set === "837") return start("heading");
        return start(this.#set === "835" ? "remittance" : "set");
      case "SE": {
        const whole = this.#set !== "837" && this.#set !== "835" && open === "set";
        this.#set = "";
        return whole ? stay("set") : start("trailer");
      }
    }
    if (this.#set === "837") return this.#claimKindOf(segment, open);
    if (this.#set === "835") return remittanceKindOf(segment, open);
    if (hierarchical.has(this.#set) && segment.id === "HL") return this.#levelKindOf(segment, open);
    if (this.#set === "834" && segment.id === "INS") return start("member");
    if (this.#set === "" && segment.id === "TA1") return start("acknowledgment");
    // Outside any set (a TA1, or what should not be there) a segment belongs to the envelope before it.
    return open === null || open === "noise" || open === "acknowledgment" ? start("between") : stay(open);
  }

  #claimKindOf(segment: Segment, open: SliceKind | null): { readonly kind: SliceKind; readonly fresh: boolean } {
    const level = segment.id === "HL" ? segment.elements[3] : undefined;
    if (level === "20") return { kind: "heading", fresh: open !== "heading" };
    if (level === "22") return { kind: "subscriber", fresh: true };
    // A dependent right below its subscriber stays in one slice with it; a second dependent starts its own.
    if (level === "23") return { kind: "subscriber", fresh: open !== "subscriber" || this.#hasLevel("23") };
    if (segment.id === "CLM") return { kind: "claim", fresh: open !== "subscriber" };
    return { kind: open ?? "heading", fresh: open === null };
  }

  #levelKindOf(segment: Segment, open: SliceKind | null): { readonly kind: SliceKind; readonly fresh: boolean } {
    const level = segment.elements[3] ?? "";
    // Providers and receivers between people belong to nobody; before the first person they are the head of the set.
    if (!personLevels.has(level)) return { kind: open === "set" ? "set" : "heading", fresh: open === "member" };
    const ownSubscriber = level === "23" && open === "member" && !this.#hasLevel("23") && !this.#hasSaid();
    return { kind: "member", fresh: !ownSubscriber };
  }

  #hasSaid(): boolean {
    return this.#segments.some((segment) => saysSomething.has(segment.id));
  }

  #hasLevel(level: string): boolean {
    return this.#segments.some((segment) => segment.id === "HL" && segment.elements[3] === level);
  }
}

function remittanceKindOf(segment: Segment, open: SliceKind | null): { kind: SliceKind; fresh: boolean } {
  if (segment.id === "LX") return { kind: "between", fresh: true };
  if (segment.id === "PLB") return { kind: "between", fresh: true };
  if (segment.id === "CLP") return { kind: "payment", fresh: open !== "between" };
  return { kind: open ?? "remittance", fresh: open === null };
}
