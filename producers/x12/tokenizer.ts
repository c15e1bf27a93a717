/** The four delimiters of an interchange, as byte values (X12.5: read from fixed places of its ISA). */
export interface Delimiters {
  readonly element: number;
  readonly component: number;
  /** Null before version 00402, where ISA11 is a standards identifier. */
  readonly repetition: number | null;
  readonly terminator: number;
}

/** A piece of the stream. Pieces in order, without gap or overlap, are the whole stream. */
export interface Segment {
  /** `truncated`: the stream ended before the terminator. */
  readonly kind: "segment" | "truncated";
  readonly id: string;
  /** Elements by their position, `elements[0]` being the id; bytes read as Latin-1, so nothing is lost or replaced. */
  readonly elements: readonly string[];
  /** Content without line breaks before it and without its terminator. */
  readonly text: string;
  /** Exact bytes: line breaks (and a byte order mark) before it, content, terminator. */
  readonly bytes: Buffer;
  /** The chunk that holds them, and their place there. */
  readonly chunk: Buffer;
  readonly from: number;
  readonly to: number;
  /** Bytes at the front of `bytes` that do not belong to the content. */
  readonly lead: number;
  /** Place of `bytes` in the stream. */
  readonly offset: number;
  readonly delimiters: Delimiters;
  /** It is an ISA whose fixed positions hold: an interchange begins. */
  readonly opens: boolean;
}

/** Bytes that belong to no segment: blanks at the end, or everything from the place where no interchange could be read. */
interface Noise {
  readonly kind: "blank" | "noise";
  readonly bytes: Buffer;
  readonly chunk: Buffer;
  readonly from: number;
  readonly to: number;
  readonly offset: number;
}

export type Token = Segment | Noise;

/**
 * The first ISA whose fixed positions hold and that begins in a stretch.
 * `more`: one may begin there, but its end has not come yet.
 */
function nextIsa(bytes: Buffer, from: number, to: number, last: boolean): number | "more" | null {
  for (let at = bytes.indexOf("ISA", from, "latin1"); at >= 0 && at < to; at = bytes.indexOf("ISA", at + 1, "latin1")) {
    if (bytes.length - at < ISA_LENGTH) return last ? null : "more";
    if (delimitersOfIsa(bytes, at)) return at;
  }
  return null;
}

/** A segment whose `bytes` are made only when asked for: most are only read. */
class ReadSegment implements Segment {
  readonly kind: Segment["kind"];
  readonly id: string;
  readonly elements: readonly string[];
  readonly text: string;
  readonly chunk: Buffer;
  readonly from: number;
  readonly to: number;
  readonly lead: number;
  readonly offset: number;
  readonly delimiters: Delimiters;
  readonly opens: boolean;

  constructor({ kind, id, elements, text, chunk, from, to, lead, offset, delimiters, opens }: Omit<Segment, "bytes">) {
    this.kind = kind;
    this.id = id;
    this.elements = elements;
    this.text = text;
    this.chunk = chunk;
    this.from = from;
    this.to = to;
    this.lead = lead;
    this.offset = offset;
    this.delimiters = delimiters;
    this.opens = opens;
  }

  get bytes(): Buffer {
    return this.chunk.subarray(this.from, this.to);
  }
}

export function isSegment(token: Token): token is Segment {
  return token.kind === "segment" || token.kind === "truncated";
}

export type TokenizerProblem = "NOT_AN_INTERCHANGE" | "ISA_MALFORMED" | "SEGMENT_TOO_LONG";

const ISA_LENGTH = 106;
/** Byte positions of the sixteen element separators of an ISA (X12.5, fixed-length elements). */
const ISA_SEPARATORS = [3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103];
const CR = 13;
const LF = 10;
/** Blank, tab, NUL (records of a fixed length), and the mark at the end of a file (Control-Z) of older systems. */
const FILLERS: ReadonlySet<number> = new Set([32, 9, 0, 26]);
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const NO_BYTES = Buffer.alloc(0);

function isLetterDigitOrBlank(byte: number): boolean {
  return byte === 32 || (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

/** Delimiters of the ISA that starts at `from`, or null when the fixed positions do not hold. Needs 106 bytes there. */
function delimitersOfIsa(bytes: Buffer, from: number): Delimiters | null {
  const element = bytes[from + 3]!;
  for (const position of ISA_SEPARATORS) if (bytes[from + position] !== element) return null;
  const component = bytes[from + 104]!;
  const terminator = bytes[from + 105]!;
  if (element === component || element === terminator || component === terminator) return null;
  if (isLetterDigitOrBlank(element) || isLetterDigitOrBlank(terminator)) return null;
  const version = bytes.toString("latin1", from + 84, from + 89);
  return { element, component, repetition: version >= "00402" ? bytes[from + 82]! : null, terminator };
}

/**
 * Cuts a stream of bytes into X12 segments.
 *
 * Memory stays flat: at most one segment is kept between two chunks. However the stream is cut into chunks, the segments
 * are the same. A new ISA may bring other delimiters. What can't be read ends where an ISA begins, and so does a segment
 * that was cut off: the interchange after a broken one is never lost. Written here because the published tokenizers lose segments on short
 * chunks or on a second ISA, give no byte offsets, or want the whole file.
 */
export class Tokenizer {
  /** Why the stream could not be read at some place, the first one; null while all of it could. */
  problem: { readonly code: TokenizerProblem; readonly offset: number } | null = null;
  /** Whether the stream began with a UTF-8 byte order mark. */
  byteOrderMark = false;

  readonly #longest: number;
  #rest: Buffer = NO_BYTES;
  /** Bytes of `#rest` already searched for the terminator. */
  #searched = 0;
  /** Stream offset of `#rest`. */
  #offset = 0;
  #delimiters: Delimiters | null = null;
  #separator = "";
  /** Whether nothing is readable until an ISA comes. */
  #lost = false;
  /** Where the letters ISA come next in a chunk, from where it was last asked. */
  #name: { readonly bytes: Buffer; readonly at: number } = { bytes: NO_BYTES, at: -1 };

  /** @param longest bytes of the longest segment taken; a longer one makes the stream unreadable. Default 1 MiB. */
  constructor(longest = 1_048_576) {
    this.#longest = longest;
  }

  /** Takes the next chunk and gives the tokens complete with it. */
  push(chunk: Buffer): Token[] {
    return this.#read(chunk, false);
  }

  /** Gives what is left when the stream has ended. */
  end(): Token[] {
    return this.#read(NO_BYTES, true);
  }

  #read(chunk: Buffer, last: boolean): Token[] {
    const tokens: Token[] = [];
    const bytes =
      this.#rest.length === 0 ? chunk : chunk.length === 0 ? this.#rest : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    while (position < bytes.length) {
      if (this.#lost) {
        const found = nextIsa(bytes, position, bytes.length, last);
        const end = typeof found === "number" ? found : last ? bytes.length : bytes.length - (ISA_LENGTH - 1);
        if (end > position) tokens.push(this.#noise("noise", bytes, position, end));
        position = Math.max(position, end);
        if (typeof found !== "number") break;
        this.#lost = false;
        continue;
      }
      const content = this.#skipLead(bytes, position, last);
      if (content === null) break;
      if (content === bytes.length) {
        if (!last) break;
        tokens.push(this.#noise("blank", bytes, position));
        position = content;
        break;
      }
      const isa = this.#readIsa(bytes, content, last);
      if (isa === "more") break;
      if (isa === "unreadable") continue;
      const delimiters = this.#delimiters!;
      const from = Math.max(content, position === 0 ? this.#searched : 0);
      let end = isa === "isa" ? content + ISA_LENGTH - 1 : bytes.indexOf(delimiters.terminator, from);
      let truncated = end < 0;
      const inner =
        isa === "isa" ? null : this.#innerIsa(bytes, position, content, truncated ? bytes.length : end, last);
      if (inner === "more" && !truncated) break;
      if (typeof inner === "number") {
        truncated = true;
        end = inner;
      }
      if ((end < 0 ? bytes.length : end) - content > this.#longest) {
        this.#stop("SEGMENT_TOO_LONG", this.#offset + content);
        continue;
      }
      if (end < 0 && !last) {
        this.#searched = bytes.length - position;
        break;
      }
      if (end < 0) end = bytes.length;
      const text = bytes.toString("latin1", content, end);
      const elements = text.split(this.#separator);
      const next = truncated ? end : end + 1;
      tokens.push(
        new ReadSegment({
          kind: truncated ? "truncated" : "segment",
          id: elements[0]!,
          elements,
          text,
          chunk: bytes,
          from: position,
          to: next,
          lead: content - position,
          offset: this.#offset + position,
          delimiters,
          opens: isa === "isa",
        }),
      );
      if (elements[0] === "IEA") this.#delimiters = null;
      position = next;
      this.#searched = 0;
    }
    this.#offset += position;
    this.#rest = bytes.subarray(position);
    return tokens;
  }

  #noise(kind: Noise["kind"], chunk: Buffer, from: number, to = chunk.length): Noise {
    return { kind, bytes: chunk.subarray(from, to), chunk, from, to, offset: this.#offset + from };
  }

  /** An ISA inside what would be one segment: the interchange before it was cut off there. */
  #innerIsa(bytes: Buffer, position: number, content: number, end: number, last: boolean): number | "more" | null {
    const searched = position === 0 ? this.#searched - ISA_LENGTH : 0;
    const from = Math.max(content + 1, searched);
    if (this.#name.bytes !== bytes || (this.#name.at >= 0 && this.#name.at < from)) {
      this.#name = { bytes, at: bytes.indexOf("ISA", from, "latin1") };
    }
    // Nearly always the letters come nowhere near: they are looked for once a chunk, not once a segment.
    if (this.#name.at < 0 || this.#name.at >= end) return null;
    return nextIsa(bytes, from, end, last);
  }

  /** First byte after line breaks and a byte order mark; null when more bytes are needed to tell. */
  #skipLead(bytes: Buffer, position: number, last: boolean): number | null {
    let at = position;
    if (this.#offset + position === 0 && bytes[position] === BYTE_ORDER_MARK[0]) {
      if (bytes.length - position < 3 && !last) return null;
      if (BYTE_ORDER_MARK.every((byte, index) => bytes[position + index] === byte)) {
        this.byteOrderMark = true;
        at += 3;
      }
    }
    // Between interchanges what fills up a block or ends a file is harmless too; inside one it may be content.
    const between = this.#delimiters === null;
    while (at < bytes.length && (bytes[at] === CR || bytes[at] === LF || (between && FILLERS.has(bytes[at]!)))) at += 1;
    return at;
  }

  #readIsa(bytes: Buffer, content: number, last: boolean): "isa" | "segment" | "more" | "unreadable" {
    const given = bytes.length - content;
    const isIsa = bytes.toString("latin1", content, content + 3) === "ISA".slice(0, Math.min(3, given));
    if (isIsa && given < ISA_LENGTH && !last) return "more";
    if (isIsa && given >= ISA_LENGTH) {
      const delimiters = delimitersOfIsa(bytes, content);
      if (delimiters) {
        this.#delimiters = delimiters;
        this.#separator = String.fromCharCode(delimiters.element);
        return "isa";
      }
    }
    if (this.#delimiters) return "segment";
    this.#stop(isIsa && given >= 3 ? "ISA_MALFORMED" : "NOT_AN_INTERCHANGE", this.#offset + content);
    return "unreadable";
  }

  #stop(code: TokenizerProblem, offset: number): void {
    this.problem ??= { code, offset };
    this.#lost = true;
    this.#delimiters = null;
    this.#searched = 0;
  }
}
