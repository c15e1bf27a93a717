import { decodeWindows1252 } from "../../engine/reception/windows-1252.js";

/** How the bytes of a message become text. */
interface Charset {
  /** HL7 table 0211. */
  readonly name: string;
  /** @returns undefined when the bytes are not of this character set. */
  readonly decode: (bytes: string) => string | undefined;
}

const NOT_ASCII = /[\u0080-\uffff]/;
/** Control characters of ISO 8859-1 beyond ASCII. */
const C1 = /[\u0080-\u009f]/;
const bytesOf = (raw: string) => Buffer.from(raw, "latin1");

function decoder(label: string): Charset["decode"] {
  const decode = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  return (raw) => {
    try {
      return decode.decode(bytesOf(raw));
    } catch {
      return undefined;
    }
  };
}

const utf8: Charset = { name: "UNICODE UTF-8", decode: decoder("utf-8") };
const latin1: Charset = { name: "8859/1", decode: (raw) => raw };
const windows1252: Charset = { name: "WINDOWS-1252", decode: decodeWindows1252 };

/** Labels are those of the WHATWG encoding standard. */
const others: Readonly<Record<string, string>> = {
  "8859/2": "iso-8859-2",
  "8859/3": "iso-8859-3",
  "8859/4": "iso-8859-4",
  "8859/5": "iso-8859-5",
  "8859/6": "iso-8859-6",
  "8859/7": "iso-8859-7",
  "8859/8": "iso-8859-8",
  "8859/9": "iso-8859-9",
  "8859/15": "iso-8859-15",
  "GB 18030-2000": "gb18030",
  "BIG-5": "big5",
  "KS X 1001": "euc-kr",
  "ISO IR14": "iso-2022-jp",
  "ISO IR87": "iso-2022-jp",
};
const found = new Map<string, Charset>();

/** Spellings of senders that know a set by its name elsewhere (IANA, DICOM, Oracle). */
const spellings: readonly (readonly [form: RegExp, name: string])[] = [
  [/^(?:ISO[-_ ]?)?8859[-_/ ](\d{1,2})$/, "8859/$1"],
  [/^(?:(?:ISO[-_ ])?LATIN[-_ ]?1|ISO[-_ ]IR[-_ ]?100)$/, "8859/1"],
  [/^(?:(?:WINDOWS|WIN|CP)[-_ ]?1252|WE8MSWIN1252)$/, "WINDOWS-1252"],
  [/^UNICODE[-_ ]UTF[-_ ]?8$/, "UNICODE UTF-8"],
  [/^US[-_ ]ASCII$/, "ASCII"],
];

/** The name of a set as table 0211 has it, where that is known. */
function tableName(name: string): string {
  const upper = name.toUpperCase();
  for (const [form, meant] of spellings) if (form.test(upper)) return upper.replace(form, meant);
  return upper;
}

function charsetNamed(name: string): Charset | undefined {
  const upper = tableName(name);
  if (upper === "UNICODE UTF-8" || upper === "UTF-8" || upper === "UTF8" || upper === "UNICODE") return utf8;
  if (upper === "8859/1") return latin1;
  if (upper === "WINDOWS-1252") return windows1252;
  // Seven bits are a part of UTF-8; senders that say ASCII and mean UTF-8 are many.
  if (upper === "ASCII" || upper === "ISO IR6") return utf8;
  const label = others[upper];
  if (label === undefined) return undefined;
  let charset = found.get(upper);
  if (charset === undefined) {
    charset = { name: upper, decode: decoder(label) };
    found.set(upper, charset);
  }
  return charset;
}

/** Names that a profile may give as the character set of a sender who declares none. */
export function isCharset(name: string): boolean {
  return name === "detect" || charsetNamed(name) !== undefined;
}

/** Segments as text, or why they can't be. */
export interface DecodedSegments {
  readonly segments: readonly string[];
  /** HL7 table 0211: what the bytes were found to be. */
  readonly charset: string;
  readonly flags: readonly string[];
  readonly problem?: {
    readonly reason: "CHARSET_MISMATCH" | "UNKNOWN_CHARSET";
    /** Index of the segment and number of the field (as a separator counts) that can't be read. */
    readonly segment: number;
    readonly field: number;
  };
}

/**
 * Decodes a message, never replacing a byte silently. A NUL belongs to no text, whatever the character set.
 * @param segments one character a byte.
 * @param declared first repetition of MSH-18; empty when the sender says nothing.
 * @param fallback the profile's character set for senders who say nothing; `detect`: UTF-8 if it is, else ISO 8859-1.
 * @param separator field separator, to find the place of a byte that can't be read.
 */
export function decodeSegments(
  segments: readonly string[],
  declared: string,
  fallback: string,
  separator: string,
): DecodedSegments {
  const nul = segments.findIndex((segment) => segment.includes("\0"));
  if (nul >= 0) {
    const field = (segments[nul] as string).split(separator).findIndex((text) => text.includes("\0"));
    return { segments, charset: "ASCII", flags: [], problem: { reason: "CHARSET_MISMATCH", segment: nul, field } };
  }
  const ascii = !segments.some((segment) => NOT_ASCII.test(segment));
  const charset =
    declared === "" ? (fallback === "detect" ? undefined : charsetNamed(fallback)) : charsetNamed(declared);
  if (declared !== "" && charset === undefined) {
    const kept = { segments, charset: "ASCII", flags: ["UNKNOWN_CHARSET"] };
    if (ascii) return kept;
    return { ...kept, problem: { reason: "UNKNOWN_CHARSET", ...firstUnreadable(segments, separator) } };
  }
  // Escape sequences of ISO 2022 are seven bits wide.
  if (ascii && charset?.name.startsWith("ISO IR") !== true) return { segments, charset: "ASCII", flags: [] };
  // ISO 8859-1 has no letters there: who sends them means windows-1252, where they are quotes, dashes and the euro sign.
  if (charset === latin1 && segments.some((segment) => C1.test(segment))) {
    return {
      segments: segments.map(windows1252.decode) as string[],
      charset: windows1252.name,
      flags: ["WINDOWS_1252"],
    };
  }
  const decoded = decodeAll(segments, charset ?? utf8);
  if (decoded !== undefined) {
    const flags = tableName(declared) === "ASCII" ? ["CHARSET_MISMATCH"] : [];
    return { segments: decoded, charset: (charset ?? utf8).name, flags };
  }
  if (charset === undefined) {
    const meant = segments.some((segment) => C1.test(segment)) ? windows1252 : latin1;
    return { segments: segments.map(meant.decode) as string[], charset: meant.name, flags: ["UNDECLARED_8BIT"] };
  }
  return {
    segments,
    charset: latin1.name,
    flags: [],
    problem: { reason: "CHARSET_MISMATCH", ...firstUnreadable(segments, separator, charset) },
  };
}

function decodeAll(segments: readonly string[], charset: Charset): string[] | undefined {
  const texts: string[] = [];
  for (const segment of segments) {
    const text = charset.decode(segment);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}

function firstUnreadable(
  segments: readonly string[],
  separator: string,
  charset?: Charset,
): { segment: number; field: number } {
  const bad = (raw: string) => (charset === undefined ? NOT_ASCII.test(raw) : charset.decode(raw) === undefined);
  const segment = segments.findIndex(bad);
  const field = (segments[segment] ?? "").split(separator).findIndex(bad);
  return { segment: Math.max(segment, 0), field: Math.max(field, 0) };
}

/** Characters of a set of one byte each -> byte; undefined of one that is wider. */
const writers = new Map<string, ReadonlyMap<string, number>>();

function writerOf({ name, decode }: Charset): ReadonlyMap<string, number> {
  let bytes = writers.get(name);
  if (bytes === undefined) {
    const found = new Map<string, number>();
    for (let byte = 0x80; byte <= 0xff; byte++) {
      const character = decode(String.fromCharCode(byte));
      if (character?.length === 1) found.set(character, byte);
    }
    bytes = found;
    writers.set(name, bytes);
  }
  return bytes;
}

/**
 * Writes a text in a character set, so that what a message said comes back as its sender wrote it. What the set can't
 * write, and beyond ASCII all of the Asian sets, becomes a question mark.
 * @param charset as `decodeSegments` gives it.
 */
export function encodeText(text: string, charset: string): Buffer {
  if (!NOT_ASCII.test(text) || charset === latin1.name) return Buffer.from(text, "latin1");
  const known = charsetNamed(charset);
  if (known === undefined || known === utf8) return Buffer.from(text, "utf8");
  const bytes = writerOf(known);
  return Buffer.from(
    text.replace(/[\u0080-\uffff]/g, (character) => String.fromCharCode(bytes.get(character) ?? 0x3f)),
    "latin1",
  );
}
