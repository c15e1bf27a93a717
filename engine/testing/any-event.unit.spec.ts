import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EventType, eventCatalog } from "../../schemas/events.generated.js";
import { compileType } from "../log/avro-type.js";
import { rootRecords } from "../log/schemas.js";
import { anyEvent, entityIds } from "./any-event.js";

const types = Object.keys(eventCatalog) as EventType[];
const roots = rootRecords();
const compiled = (record: string) => compileType(roots.get(record)!.schema);
// Values made by avsc have prototypes of their own.
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

describe("any event", () => {
  it.each(types)("of type %s is one that the log can carry", (type) => {
    const { record, sealed } = eventCatalog[type];
    const [clear, details] = [compiled(record), sealed === null ? null : compiled(sealed)];
    fc.assert(
      fc.property(anyEvent(type), (made) => {
        expect(plain(clear.fromBuffer(clear.toBuffer(made.event)))).toEqual(plain(made.event));
        if (details && made.sealed)
          expect(plain(details.fromBuffer(details.toBuffer(made.sealed)))).toEqual(plain(made.sealed));
      }),
      { numRuns: 50 },
    );
  });

  it("names the same entities often, and gives every optional field and symbol at times", () => {
    const events = fc
      .sample(anyEvent("PatientsMerged"), { numRuns: 200, seed: 1 })
      .map(
        ({ event }) =>
          event as { readonly role: string; readonly retiredPatientId: string; readonly meta: { origin: unknown } },
      );
    const known = events.filter(({ retiredPatientId }) => entityIds.includes(retiredPatientId));
    expect(known.length).toBeGreaterThan(100);
    expect(new Set(events.map(({ role }) => role)).size).toBeGreaterThan(1);
    expect(events.some(({ meta }) => meta.origin === null)).toBe(true);
    expect(events.some(({ meta }) => meta.origin !== null)).toBe(true);
  });
});
