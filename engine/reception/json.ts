import { isUtf8 } from "node:buffer";

/** How large a JSON text may be in ways that its bytes don't show. */
export interface JsonLimits {
  /** Most levels of objects and arrays. */
  readonly depth: number;
  /** Most values, members and elements counted alike. */
  readonly values: number;
}

export type JsonFault = "ENCODING" | "DEPTH" | "COUNT" | "DUPLICATE_KEY" | "SYNTAX";

/** Bytes of one value inside a text. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

/** A text seen through: nothing about it surprises whoever parses it, except that its grammar may be wrong. */
export interface JsonShape {
  readonly fault?: JsonFault;
  /** Byte at which the fault was seen. */
  readonly offset?: number;
  /** Names on the way to the fault, for objects: `contact.name`. */
  readonly place?: string;
  /** The values asked for, in order. */
  readonly spans: readonly JsonSpan[];
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const colon = 0x3a;
const comma = 0x2c;

/** Keys of one object: a list while they are few, then a set. */
class Keys {
  #few: string[] = [];
  #many: Set<string> | undefined;

  /** @returns false when it was there. */
  add(key: string): boolean {
    if (this.#many) {
      if (this.#many.has(key)) return false;
      this.#many.add(key);
      return true;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > 24) this.#many = new Set(this.#few);
    return true;
  }
}

interface Level {
  readonly keys: Keys | undefined;
  key: string;
  /** How much of the path asked for leads here; -1 when it leads elsewhere. */
  readonly matched: number;
  /** Where the value of the last key or element began. */
  start: number;
}

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** Bytes of the UTF-8 byte order mark that a text begins with: 0 or 3. */
export const markLength = (bytes: Uint8Array): number =>
  byteOrderMark.every((byte, at) => bytes[at] === byte) ? 3 : 0;

/**
 * Looks through a JSON text before it is parsed: encoding, depth, count, keys that stand twice in one object (of which
 * a parser silently keeps one). Finds the values at a path, so that each can be kept as sent.
 * @param path names of members; `*` for each element of an array.
 */
export function shapeOf(bytes: Buffer, limits: JsonLimits, path: readonly string[] = []): JsonShape {
  const spans: JsonSpan[] = [];
  if (!isUtf8(bytes)) return { fault: "ENCODING", offset: 0, spans };
  const levels: Level[] = [];
  const fault = (name: JsonFault, offset: number): JsonShape => ({
    fault: name,
    offset,
    place: levels
      .filter(({ keys }) => keys)
      .map(({ key }) => key)
      .join("."),
    spans,
  });
  let values = 0;
  let level: Level | undefined;
  const wanted = (of: Level): boolean =>
    of.matched === path.length - 1 &&
    (path[of.matched] === of.key || (of.keys === undefined && path[of.matched] === "*"));
  const leave = (end: number): void => {
    if (level && path.length > 0 && level.start >= 0 && wanted(level)) spans.push({ start: level.start, end });
    if (level) level.start = -1;
  };
  const begin = (at: number): void => {
    if (level && level.start < 0) level.start = at;
  };
  for (let at = markLength(bytes); at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) {
      let end = bytes.indexOf(quote, at + 1);
      while (end > 0 && isEscaped(bytes, end)) end = bytes.indexOf(quote, end + 1);
      if (end < 0) return fault("SYNTAX", at);
      if (level?.keys && level.key === "") {
        const key = keyText(bytes, at, end);
        if (key === undefined) return fault("SYNTAX", at);
        level.key = key;
        if (!level.keys.add(key)) return fault("DUPLICATE_KEY", at);
      } else begin(at);
      at = end;
    } else if (byte === openBrace || byte === openBracket) {
      begin(at);
      if (levels.length >= limits.depth) return fault("DEPTH", at);
      const leads = level === undefined ? 0 : leadsOn(level, path);
      level = { keys: byte === openBrace ? new Keys() : undefined, key: "", matched: leads, start: -1 };
      levels.push(level);
    } else if (byte === closeBrace || byte === closeBracket) {
      if (!level || (level.keys !== undefined) !== (byte === closeBrace)) return fault("SYNTAX", at);
      leave(trimmedEnd(bytes, at));
      levels.pop();
      level = levels.at(-1);
    } else if (byte === comma) {
      values += 1;
      if (values > limits.values) return fault("COUNT", at);
      leave(trimmedEnd(bytes, at));
      if (level) level.key = "";
    } else if (byte !== colon && byte > 0x20) begin(at);
  }
  return levels.length > 0 ? fault("SYNTAX", bytes.length) : { spans };
}

/** How much of the path leads to the value that begins now. */
function leadsOn({ matched, key, keys }: Level, path: readonly string[]): number {
  if (matched < 0 || matched >= path.length) return -1;
  const step = path[matched];
  return (keys ? step === key : step === "*") ? matched + 1 : -1;
}

function isEscaped(bytes: Buffer, at: number): boolean {
  let before = at - 1;
  while (bytes[before] === backslash) before -= 1;
  return (at - 1 - before) % 2 === 1;
}

/** The key between two quotes, its escapes undone. An empty key is told apart from none. */
function keyText(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString("utf8", start + 1, end);
  if (text === "") return "\u0000empty";
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return undefined;
  }
}

function trimmedEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (end > 0 && (bytes[end - 1] as number) <= 0x20) end -= 1;
  return end;
}

/**
 * Parses a text that {@link shapeOf} found no fault in.
 * @returns undefined when its grammar is wrong; never the parser's message, which repeats what was sent.
 */
export function parseJson(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(bytes.toString("utf8", markLength(bytes))) };
  } catch {
    return undefined;
  }
}
