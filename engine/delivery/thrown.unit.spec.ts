import { describe, expect, it } from "vitest";
import { thrownAt } from "./thrown.js";

class CodeUnknown extends Error {}

describe("what a map threw", () => {
  it("is told by class and place, without its message", () => {
    const told = thrownAt(new CodeUnknown("no code for Kunde\n    at Kunde (/home/Kunde.ts:1:1)"));
    expect(told).toMatch(/^CodeUnknown at engine\/delivery\/thrown\.unit\.spec\.ts:\d+$/);
  });

  it("is told by its kind where it is no error", () => {
    expect(thrownAt("Kunde")).toBe("a string");
  });
});
