import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import { eventCatalog } from "../../schemas/events.generated.js";
import dailyActivity from "./projection.js";

describe("daily activity", () => {
  it("counts events by UTC day, partner and type", () => {
    const midnight = Date.UTC(2026, 2, 1);
    const seen = (time: number, source: string) =>
      ({ type: "PatientUpdated", key: "p", time, fields: { facility: "N" }, meta: { source } }) as const;
    const events = recorded([
      seen(midnight - 1, "north"),
      seen(midnight, "north"),
      seen(midnight + 1, "north"),
      seen(midnight, "lab"),
    ]);
    expect(foldAll(dailyActivity, events).daily_activity).toEqual([
      { day: "2026-02-28", partner: "north", event_type: "PatientUpdated", events: 1 },
      { day: "2026-03-01", partner: "lab", event_type: "PatientUpdated", events: 1 },
      { day: "2026-03-01", partner: "north", event_type: "PatientUpdated", events: 2 },
    ]);
  });

  it("leaves no type of event out", () => {
    expect(Object.keys(dailyActivity.fold).sort()).toEqual(Object.keys(eventCatalog).sort());
  });
});
