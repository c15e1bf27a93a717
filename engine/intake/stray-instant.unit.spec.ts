import { expect, it } from "vitest";
import type { EventDraft } from "./connector.js";
import { strayInstant } from "./stray-instant.js";

const ended = (time: number, endedAt: number | null): EventDraft => ({
  type: "VisitEnded",
  subject: "00000000-0000-0000-0000-000000000001",
  time,
  timePrecision: "SECOND",
  fields: { patientId: null, facility: "NORTH", authority: "NORTH", endedAt },
});
const last = Date.parse("9999-12-31T23:59:59.999Z");
const first = Date.parse("0001-01-01T00:00:00Z");

it("an instant of no year that a read model holds is found, before its event would hold a key back", () => {
  expect(strayInstant(ended(0, null))).toBeUndefined();
  expect(strayInstant(ended(first, last))).toBeUndefined();
  expect(strayInstant(ended(0, last + 1))).toBe("endedAt");
  expect(strayInstant(ended(first - 1, null))).toBe("meta.time");
});
