import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { decodeWindows1252 } from "../../engine/reception/windows-1252.js";

/** Character sets that a partner can agree on. */
export const charsets = ["utf-8", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16le"] as const;
export type Charset = (typeof charsets)[number];

const iso885915 = new TextDecoder("iso-8859-15");

/** The text of bytes. @returns null when they are not of the character set. */
export function decode(bytes: Buffer, charset: Charset): string | null {
  switch (charset) {
    case "utf-8":
      return isUtf8(bytes) ? bytes.toString("utf8") : null;
    case "ascii":
      return bytes.every((byte) => byte < 128) ? bytes.toString("latin1") : null;
    case "iso-8859-1":
      return bytes.toString("latin1");
    case "utf-16le": {
      const text = bytes.toString("utf16le");
      return /\p{Surrogate}/u.test(text) ? null : text;
    }
    case "windows-1252":
      return decodeWindows1252(bytes.toString("latin1"));
    case "iso-8859-15":
      return iso885915.decode(bytes);
  }
}

const marks: readonly { readonly charset: Charset | "utf-16be"; readonly bytes: Buffer }[] = [
  { charset: "utf-8", bytes: Buffer.from([0xef, 0xbb, 0xbf]) },
  { charset: "utf-16le", bytes: Buffer.from([0xff, 0xfe]) },
  { charset: "utf-16be", bytes: Buffer.from([0xfe, 0xff]) },
];

/** The byte order mark at the start of a file, and the character set that it says. */
export function byteOrderMark(
  start: Buffer,
): { readonly charset: Charset | "utf-16be"; readonly length: number } | null {
  const mark = marks.find(({ bytes }) => start.subarray(0, bytes.length).equals(bytes));
  return mark ? { charset: mark.charset, length: mark.bytes.length } : null;
}
