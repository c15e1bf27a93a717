import type { EventDraft } from "../../engine/intake/connector.js";
import { identifiersOf } from "./identifiers.js";
import type { Layout } from "./layout.js";
import type { Reading } from "./reading.js";
import type { Sender, Translation } from "./translation.js";

/** A row about a visit: VisitStarted, and VisitEnded where it has an end. */
export function translateVisit(reading: Reading, layout: Layout, sender: Sender): Translation | null {
  const { profile, surrogate } = sender;
  const number = reading.identifier("visit");
  const started = reading.moment("startedAt");
  const ended = reading.moment("endedAt");
  if (number === "" || !started) return null;
  if (ended && ended.time < started.time) reading.refuse("CSV_END_BEFORE_START", nameOf(layout, "endedAt"));
  const authority = profile.facility;
  const visitId = surrogate("visit", authority, "", number);
  const patientId = identifiersOf(reading, layout, surrogate)[0]?.id ?? null;
  const owner = patientId ?? visitId;
  const flags = patientId === null ? ["PATIENT_UNIDENTIFIED"] : [];
  const place = { patientId, facility: authority, authority, flags, class: reading.text("class") || null };
  const sealing = { subject: visitId, sealed: { visitNumber: number }, sealFor: owner };
  const events: EventDraft[] = [
    {
      type: "VisitStarted",
      ...sealing,
      time: started.time,
      timePrecision: started.precision,
      fields: {
        ...place,
        admission: "REGISTERED",
        location: reading.text("location") || null,
        startedAt: started.time,
      },
    },
  ];
  if (ended) {
    events.push({
      type: "VisitEnded",
      ...sealing,
      time: ended.time,
      timePrecision: ended.precision,
      fields: { ...place, endedAt: ended.time },
    });
  }
  return { names: [authority, number], ids: [visitId], number, flags, sealFor: [owner], events: () => events };
}

function nameOf(layout: Layout, field: "endedAt"): string {
  return layout.sources.get(field)?.name ?? field;
}
