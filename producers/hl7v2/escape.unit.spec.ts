import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDelimiters, standardDelimiters } from "./delimiters.js";
import { escapeText, hasUnknownEscape, undoEscapes } from "./escape.js";

const plain = (text: string) => undoEscapes(text, standardDelimiters);
const unknown = (text: string) => hasUnknownEscape(text, standardDelimiters);

describe("escape sequences", () => {
  it("stand for what the standard says", () => {
    expect(plain("AT\\T\\T \\F\\ \\S\\ \\R\\ \\E\\ line1\\X0D\\line2\\.br\\line3 \\H\\bold\\N\\ \\X414243\\")).toBe(
      "AT&T | ^ ~ \\ line1\rline2\nline3 bold ABC",
    );
    expect(plain("a\\.sp3\\b\\.in+4\\c")).toBe("a\n\n\nbc");
    expect(plain("M\\XC3BC\\ller M\\XFC\\ller")).toBe("Müller Müller");
  });

  it("that nobody knows stay as they are sent, and are told", () => {
    const text = "C:\\temp\\new \\Q99\\ end\\";
    expect(plain(text)).toBe(text);
    expect(unknown(text)).toBe(true);
    expect(unknown("a\\F\\b")).toBe(false);
  });

  it("never make a NUL, which no text may hold", () => {
    expect(plain("a\\X4100\\b")).toBe("a\\X4100\\b");
    expect(unknown("a\\X4100\\b")).toBe(true);
    expect(plain("a\\X1001\\b")).toBe("a\u0010\u0001b");
  });

  it("after a stray escape character are still undone", () => {
    expect(plain("50\\ \\F\\ x")).toBe("50\\ | x");
  });

  it("give back any text that was escaped, with any delimiters", () => {
    const delimiters = fc.constantFrom(
      standardDelimiters,
      readDelimiters("MSH*%$!#*")?.delimiters ?? standardDelimiters,
      readDelimiters("MSH#!@%*#")?.delimiters ?? standardDelimiters,
    );
    const text = fc.string({ unit: fc.constantFrom(..."|^~\\&*%$!#@ABFSTRE.brX0dé \r\n") });
    fc.assert(
      fc.property(text, delimiters, (value, used) => {
        const escaped = escapeText(value, used);
        expect(undoEscapes(escaped, used)).toBe(value);
        expect(hasUnknownEscape(escaped, used)).toBe(false);
        for (const mark of [used.field, used.component, used.repetition, used.subcomponent]) {
          expect(escaped.includes(mark) && mark !== used.escape).toBe(false);
        }
      }),
    );
  });
});

describe("delimiters", () => {
  it("are the message's own, the truncation character among them", () => {
    expect(readDelimiters("MSH|^~\\&#|A")?.delimiters).toEqual({ ...standardDelimiters, truncation: "#" });
    expect(readDelimiters("MSH*%$!#*A")).toMatchObject({ delimiters: { field: "*", component: "%", escape: "!" } });
    expect(readDelimiters("MSH*%$!#*A")?.flags).toEqual(["OTHER_DELIMITERS"]);
  });

  it("are understood where the escape character was escaped once more", () => {
    expect(readDelimiters("MSH|^~\\\\&|A")).toEqual({ delimiters: standardDelimiters, flags: ["DOUBLED_ESCAPE"] });
  });

  it.each(["MSH", "MSH|", "MSH|^~\\|A", "MSH|^^^^|A", "MSH|broken", "MSH|^~\\^|A", "PID|^~\\&|"])(
    "are none in %j",
    (text) => {
      expect(readDelimiters(text)).toBeUndefined();
    },
  );
});
