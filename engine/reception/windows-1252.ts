/** What the bytes 0x80 to 0x9f are in windows-1252 (WHATWG encoding standard); the five that it leaves out stay controls. */
const upper =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

/**
 * Reads windows-1252. Not by TextDecoder: that of Node 20 takes it for ISO 8859-1, and quotes, dashes and the euro sign
 * for control characters.
 * @param latin1 the bytes, one character a byte ("latin1").
 */
export const decodeWindows1252 = (latin1: string): string =>
  latin1.replace(/[\u0080-\u009f]/g, (byte) => upper[byte.charCodeAt(0) - 0x80] as string);
