import { expect, it } from "vitest";
import { storableText } from "./checkpoint.js";

it("texts are stored one for one, without NUL, and as they are where nothing speaks of it", () => {
  let texts = [""];
  for (let length = 0; length < 6; length++) {
    texts = [...new Set(texts.flatMap((text) => ["", "\0", "\\", "0"].map((more) => text + more)))];
  }
  const stored = texts.map(storableText);
  expect(new Set(stored).size).toBe(texts.length);
  expect(stored.filter((text) => text.includes("\0"))).toEqual([]);
  expect(storableText("C:\\temp \\\\ 0")).toBe("C:\\temp \\\\ 0");
  // As it always was.
  expect(storableText("a\\\0")).toBe("a\\\\\\0");
});
