import type { EventDraft } from "../../engine/intake/connector.js";
import type { Data } from "./read-form.js";
import { mustSpeakFor, patientOf, visitIdentifierOf } from "./references.js";
import type { Meaning, Sender, Told } from "./telling.js";
import { instantOf, neededText } from "./values.js";

/** Instants of visits. */
const instants = ["startedAt", "endedAt", "startsAt"];

/** The events of visits: all name their visit by authority and number. */
export function translateVisit({ type, time, data }: Told, sender: Sender): Meaning {
  const { profile, surrogate } = sender;
  const authority = neededText(data, "authority", "data");
  mustSpeakFor(profile.authorities, authority, "data.authority");
  const visitNumber = neededText((data.details ?? {}) as Data, "visitNumber", "data.details");
  const subject = surrogate("visit", authority, "", visitNumber);
  const patientId = patientOf(data, sender);
  const { patient: _patient, details: _details, identifiers: given, ...rest } = data;
  const identifiers = (given as readonly Data[] | undefined)?.map((one, index) =>
    visitIdentifierOf(one, `data.identifiers[${index}]`, sender),
  );
  const fields: Record<string, unknown> = {
    ...{ ...rest, facility: profile.facility, patientId },
    ...(identifiers && { identifiers: identifiers.map(({ value: _value, ...clear }) => clear) }),
  };
  for (const name of instants) {
    const said = rest[name];
    if (typeof said === "string") fields[name] = instantOf(said, `data.${name}`);
  }
  const sealFor = patientId ?? subject;
  const sealed = { visitNumber, ...(identifiers && { identifierValues: identifiers.map(({ value }) => value) }) };
  const event = { type, subject, time, timePrecision: "MILLISECOND", fields, sealed, sealFor };
  return { events: [event as unknown as EventDraft], sealFor: [sealFor] };
}
