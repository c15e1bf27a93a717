import { expect, it } from "vitest";
import { instantOf } from "./instant.js";

it("an instant is one moment everywhere: with its zone, or a day in UTC, and a day that there is", () => {
  expect(instantOf("2026-01-31T23:59:59Z")).toBe(Date.UTC(2026, 0, 31, 23, 59, 59));
  expect(instantOf("2026-02-01T00:59:59.5+01:00")).toBe(Date.UTC(2026, 0, 31, 23, 59, 59, 500));
  expect(instantOf("2026-01-31")).toBe(Date.UTC(2026, 0, 31));
  expect(instantOf("1767225600000")).toBe(1_767_225_600_000);
  expect(instantOf("2024-02-29")).toBe(Date.UTC(2024, 1, 29));
  for (const wrong of [
    "2026-01-31T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-02-29",
    "2026-13-01",
    "31.1.2026",
    "12",
    "1767225600",
    "202601312359",
    "20260131235959",
    "",
  ])
    expect(() => instantOf(wrong), wrong).toThrow(/with its zone/);
});
