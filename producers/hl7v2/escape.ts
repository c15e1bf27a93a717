import type { Delimiters } from "./delimiters.js";

const FORMATTING = /^(?:[HN]|\.(?:fi|nf|in[+-]?\d+|ti[+-]?\d+|sk[+-]?\d+))$/;
const BREAK = /^\.(?:br|ce|sp\+?(\d{0,3}))$/;
const HEX = /^X((?:[0-9A-Fa-f]{2})+)$/;
const KEPT = /^(?:[CM][0-9A-Fa-f]+|Z.*)$/;

/** What one escape sequence stands for; undefined when the standard doesn't know it. */
function meaning(sequence: string, delimiters: Delimiters): string | undefined {
  switch (sequence) {
    case "F":
      return delimiters.field;
    case "S":
      return delimiters.component;
    case "T":
      return delimiters.subcomponent;
    case "R":
      return delimiters.repetition;
    case "E":
      return delimiters.escape;
    case "P":
      return delimiters.truncation ?? "#";
  }
  if (FORMATTING.test(sequence)) return "";
  const lines = BREAK.exec(sequence);
  if (lines) return "\n".repeat(Math.min(Number(lines[1] || 1), 100));
  const hex = HEX.exec(sequence)?.[1];
  // A NUL is no character of any text that we could keep.
  if (hex !== undefined && !/^(?:..)*?00/.test(hex)) return textOfHex(Buffer.from(hex, "hex"));
  // Changes of character set and agreed private sequences are known, but not ours to interpret: they stay as sent.
  if (KEPT.test(sequence)) return `${delimiters.escape}${sequence}${delimiters.escape}`;
  return undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes in hexadecimal: UTF-8 when they are, else ISO 8859-1. */
function textOfHex(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}

interface Piece {
  readonly text: string;
  /** The text was an escape sequence the standard doesn't know, or a lone escape character. */
  readonly unknown: boolean;
}

function* pieces(text: string, delimiters: Delimiters): Generator<Piece> {
  const mark = delimiters.escape;
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf(mark, at);
    if (open < 0) break;
    if (open > at) yield { text: text.slice(at, open), unknown: false };
    const close = text.indexOf(mark, open + 1);
    const known = close < 0 ? undefined : meaning(text.slice(open + 1, close), delimiters);
    if (known !== undefined) {
      yield { text: known, unknown: false };
      at = close + 1;
    } else {
      // The closing character may open the next sequence, so only the opening one is taken as it stands.
      yield { text: mark, unknown: true };
      at = open + 1;
    }
  }
  if (at < text.length) yield { text: text.slice(at), unknown: false };
}

/** Undoes the escape sequences of a value (HL7 v2.9 chapter 2.7). What is no known sequence stays as sent. */
export function undoEscapes(text: string, delimiters: Delimiters): string {
  if (!text.includes(delimiters.escape)) return text;
  let plain = "";
  for (const piece of pieces(text, delimiters)) plain += piece.text;
  return plain;
}

/** Whether a value holds an escape character that is part of no known sequence. */
export function hasUnknownEscape(text: string, delimiters: Delimiters): boolean {
  if (!text.includes(delimiters.escape)) return false;
  for (const piece of pieces(text, delimiters)) if (piece.unknown) return true;
  return false;
}

/** Writes a text so that it may stand in a message; `undoEscapes` gives it back. */
export function escapeText(text: string, delimiters: Delimiters): string {
  let escaped = "";
  for (const character of text) {
    const mark = delimiters.escape;
    if (character === mark) escaped += `${mark}E${mark}`;
    else if (character === delimiters.field) escaped += `${mark}F${mark}`;
    else if (character === delimiters.component) escaped += `${mark}S${mark}`;
    else if (character === delimiters.subcomponent) escaped += `${mark}T${mark}`;
    else if (character === delimiters.repetition) escaped += `${mark}R${mark}`;
    else if (character === "\r") escaped += `${mark}X0D${mark}`;
    else if (character === "\n") escaped += `${mark}X0A${mark}`;
    else escaped += character;
  }
  return escaped;
}
