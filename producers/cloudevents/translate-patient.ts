import type { EventDraft } from "../../engine/intake/connector.js";
import type { Data } from "./read-form.js";
import { clear, type GivenIdentifier, identifierOf, mustSpeakFor } from "./references.js";
import type { Meaning, Sender, Told } from "./telling.js";
import { isDay, textOf, ValueProblem } from "./values.js";

/** Attributes that a sender may delete. */
const clearable = new Set([
  "sex",
  "birthYear",
  "deceased",
  "familyName",
  "givenNames",
  "birthDate",
  "address",
  "telecom",
]);

/** PatientRegistered, PatientUpdated, and PatientsMerged, which becomes an event on each of the two. */
export function translatePatient(told: Told, sender: Sender): Meaning {
  return told.type === "PatientsMerged" ? merged(told, sender) : described(told, sender);
}

function described({ type, time, data }: Told, sender: Sender): Meaning {
  const { profile } = sender;
  const given = data.identifiers as readonly Data[];
  const identifiers = given.map((one, index) => identifierOf(one, `data.identifiers[${index}]`, sender));
  const own = identifiers[0];
  if (!own) throw new ValueProblem("FIELD_MISSING", "data.identifiers");
  mustSpeakFor(profile.authorities, own.authority, "data.identifiers[0].authority");
  // It stands in the clear, so it holds these words and no others.
  const unclear = (data.cleared as readonly string[]).findIndex((name) => !clearable.has(name));
  if (unclear >= 0) throw new ValueProblem("FIELD_INVALID", `data.cleared[${unclear}]`);
  const details = (data.details ?? {}) as Data;
  const birthDate = textOf(details, "birthDate");
  if (birthDate !== null && !isDay(birthDate.padEnd(10, "-01")))
    throw new ValueProblem("FIELD_INVALID", "data.details.birthDate");
  const { identifiers: _identifiers, details: _details, ...fields } = data;
  const event = {
    type,
    subject: own.identifierId,
    time,
    timePrecision: "MILLISECOND",
    fields: { ...fields, facility: profile.facility, identifiers: identifiers.map(clear) },
    sealed: { ...details, identifierValues: identifiers.map(({ value }) => value) },
    sealFor: own.identifierId,
  } as unknown as EventDraft;
  return { events: [event], sealFor: [own.identifierId] };
}

function merged({ time, data }: Told, sender: Sender): Meaning {
  const { profile } = sender;
  const pairs = (data.merges as readonly Data[]).map((pair, index) => {
    const of = (side: "retired" | "surviving"): GivenIdentifier => {
      const place = `data.merges[${index}].${side}`;
      const identifier = identifierOf(pair[side] as Data, place, sender);
      mustSpeakFor(profile.authorities, identifier.authority, `${place}.authority`);
      return identifier;
    };
    return { retired: of("retired"), surviving: of("surviving") };
  });
  const first = pairs[0];
  if (!first) throw new ValueProblem("FIELD_MISSING", "data.merges");
  const [survivingPatientId, retiredPatientId] = [first.surviving.identifierId, first.retired.identifierId];
  if (survivingPatientId === retiredPatientId) throw new ValueProblem("MERGE_INTO_ITSELF", "data.merges[0]");
  const merges = pairs.map(({ retired, surviving }) => ({ retired: clear(retired), surviving: clear(surviving) }));
  const events = (["SURVIVING", "RETIRED"] as const).map((role): EventDraft => {
    const subject = role === "SURVIVING" ? survivingPatientId : retiredPatientId;
    return {
      type: "PatientsMerged",
      subject,
      time,
      timePrecision: "MILLISECOND",
      fields: { facility: profile.facility, role, survivingPatientId, retiredPatientId, merges },
      sealed: { values: pairs.map((pair) => (role === "SURVIVING" ? pair.surviving.value : pair.retired.value)) },
      sealFor: subject,
    };
  });
  return { events, sealFor: [survivingPatientId, retiredPatientId] };
}
