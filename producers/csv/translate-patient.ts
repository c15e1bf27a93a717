import { identifiersOf } from "./identifiers.js";
import type { Layout } from "./layout.js";
import type { Reading } from "./reading.js";
import type { Sender, Translation } from "./translation.js";

const none: readonly string[] = [];
const noTime: readonly string[] = ["NO_TIME"];
const yes = new Set(["Y", "YES", "1", "T", "TRUE"]);
const no = new Set(["N", "NO", "0", "F", "FALSE"]);

/** A row about a patient: PatientUpdated. What is empty is kept as it was. */
export function translatePatient(reading: Reading, layout: Layout, sender: Sender): Translation | null {
  const { profile, surrogate, receivedAt } = sender;
  const identifiers = identifiersOf(reading, layout, surrogate);
  const own = layout.identifiers[0];
  // The patient is named by the first identifier's column: another one would make another patient of him.
  if (!own || own.at < 0 || reading.at(own.at) === "") reading.refuse("CSV_VALUE_MISSING", own?.name ?? "identifiers");
  const first = identifiers[0];
  if (!first) return null;
  const changedAt = reading.moment("changedAt");
  const birth = reading.moment("birthDate");
  const flags = changedAt ? none : noTime;
  const given = reading.text("givenNames").split(/\s+/);
  const details = {
    identifierValues: identifiers.map(({ value }) => value),
    familyName: reading.text("familyName") || null,
    givenNames: given.filter((name) => name !== ""),
    birthDate: birth?.day ?? null,
    address: addressOf(reading),
    telecom: [reading.text("telecom")].filter((text) => text !== ""),
  };
  const fields = {
    facility: profile.facility,
    identifiers: identifiers.map(({ id, authority, type, strong }) => ({ identifierId: id, authority, type, strong })),
    sex: reading.text("sex") || null,
    birthYear: birth ? Number(birth.day.slice(0, 4)) : null,
    deceased: deceasedOf(reading),
    flags,
  };
  return {
    names: [first.authority, first.type, first.value],
    ids: [first.id],
    number: first.value,
    flags,
    sealFor: [first.id],
    events: () => [
      {
        type: "PatientUpdated",
        subject: first.id,
        time: changedAt?.time ?? receivedAt,
        timePrecision: changedAt?.precision ?? "MILLISECOND",
        fields,
        sealed: details,
        sealFor: first.id,
      },
    ],
  };
}

function addressOf(reading: Reading): string | null {
  const parts = (["street", "city", "state", "postalCode", "country"] as const).map((part) => reading.text(part));
  const said = parts.filter((part) => part !== "").map((part) => part.replace(/\s+/g, " "));
  return said.length > 0 ? said.join(", ") : null;
}

/** Yes or no in the usual words; a date is the day of death. */
function deceasedOf(reading: Reading): boolean | null {
  const text = reading.text("deceased").toUpperCase();
  if (text === "") return null;
  if (yes.has(text)) return true;
  if (no.has(text)) return false;
  return reading.moment("deceased") ? true : null;
}
