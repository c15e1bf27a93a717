import { type Charset, decode } from "./charset.js";
import { fieldNumbers, type Row } from "./row-reader.js";

/** How escapes inside a quoted field are undone. */
export interface Escapes {
  readonly quote: string;
  readonly escape: "doubled" | "backslash";
}

/**
 * The texts of a row's fields.
 * @returns the ordinal of the first field that is not of the character set, from 1, in place of texts.
 */
export function textsOf(row: Row, charset: Charset, escapes: Escapes): readonly string[] | number {
  // Most rows are ASCII, which every character set here but UTF-16 agrees on.
  const plain = row.ascii && charset !== "utf-16le" ? row.bytes.toString("latin1", 0, row.length) : null;
  const { fields } = row;
  const texts: string[] = [];
  for (let at = 0; at < fields.length; at += fieldNumbers) {
    const [start, end] = [fields[at], fields[at + 1]];
    const text = plain !== null ? plain.slice(start, end) : decode(row.bytes.subarray(start, end), charset);
    if (text === null) return texts.length + 1;
    texts.push(fields[at + 2] === 1 ? undone(text, escapes) : text);
  }
  return texts;
}

function undone(text: string, escapes: Escapes): string {
  if (escapes.escape === "backslash") return text.replace(/\\([\s\S])/g, "$1");
  return text.replaceAll(escapes.quote + escapes.quote, escapes.quote);
}
