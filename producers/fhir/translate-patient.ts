import type { EventDraft } from "../../engine/intake/connector.js";
import { dayOf } from "./datetime.js";
import { child, children, codeOf, type Element, text, texts } from "./element.js";
import { organizationOf } from "./reference.js";
import {
  authorityOf,
  facilityOf,
  type Meaning,
  type Naming,
  namingOf,
  namingOfReference,
  type Speaker,
  typeOfIdentifier,
  versionTime,
} from "./speaker.js";

interface PatientIdentifier extends Naming {
  readonly strong: boolean;
}

/** HL7 table 0001 of the FHIR code. */
const sexes: Readonly<Record<string, string>> = { male: "M", female: "F", other: "O", unknown: "U" };

/** The patient's identifiers, the one that names it first. */
function identifiersOf(resource: Element, own: Naming, speaker: Speaker): readonly PatientIdentifier[] {
  const found = new Map<string, PatientIdentifier>([
    [own.id, { ...own, strong: isStrong(own.authority, own.type, speaker) }],
  ]);
  for (const identifier of children(resource, "identifier")) {
    const value = text(identifier, "value");
    if (value === undefined) continue;
    const system = text(identifier, "system");
    const authority = authorityOf(system, speaker);
    const type = typeOfIdentifier(identifier, speaker);
    const id = speaker.surrogate("patient", authority, type, value);
    // A number that is no longer the person's own may by now be another's.
    const strong = identifier.use !== "old" && isStrong(system, type, speaker);
    if (!found.has(id)) found.set(id, { id, authority, type, value, strong });
  }
  return [...found.values()];
}

function isStrong(system: string | undefined, type: string, { profile }: Speaker): boolean {
  return profile.identifiers.strong.some(
    (choice) =>
      (choice.system === undefined || choice.system === system) && (choice.type === undefined || choice.type === type),
  );
}

const clear = ({ id, authority, type, strong }: PatientIdentifier) => ({ identifierId: id, authority, type, strong });

/** The name in use: official, usual, any that is not old; else the first. */
function nameOf(resource: Element): Element | undefined {
  const names = children(resource, "name");
  const rank = ({ use }: Element): number =>
    ["official", "usual", undefined].includes(use as string | undefined) ? (use === "official" ? 0 : 1) : 2;
  return [...names].sort((left, right) => rank(left) - rank(right))[0];
}

function addressOf(resource: Element): string | null {
  const addresses = children(resource, "address");
  const address = addresses.find(({ use }) => use !== "old") ?? addresses[0];
  if (!address) return null;
  const parts = [
    ...texts(address, "line"),
    ...["city", "state", "postalCode", "country"].map((name) => text(address, name)),
  ];
  const line = parts.filter((part) => part !== undefined && part !== "").join(", ");
  return line === "" ? (text(address, "text") ?? null) : line;
}

function deceasedOf(resource: Element): boolean | null {
  if (typeof resource.deceasedBoolean === "boolean") return resource.deceasedBoolean;
  return text(resource, "deceasedDateTime") !== undefined ? true : null;
}

/** Whether a Patient is the whole record: its sender sends such, and doesn't say that this one has only part of it. */
const isWhole = (resource: Element, { profile }: Speaker): boolean =>
  profile.absent === "clear" &&
  !children(child(resource, "meta"), "tag").some(
    ({ system, code }) => system === observationValues && code === "SUBSETTED",
  );
const observationValues = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

const isMissing = (value: unknown): boolean => value === null || (Array.isArray(value) && value.length === 0);

/**
 * A Patient: the whole record, so what it leaves out is cleared, identifiers too, unless the profile or the resource says
 * that it is kept.
 * @param stored whether the sender names the place it is stored at (PUT), rather than sending it first (POST).
 */
export function translatePatient(resource: Element, speaker: Speaker, stored: boolean): Meaning {
  const own = namingOf("Patient", resource, speaker);
  if (!own) return { events: [], sealFor: [], flags: ["PATIENT_UNIDENTIFIED"] };
  const identifiers = identifiersOf(resource, own, speaker);
  const name = nameOf(resource);
  const birthDate = text(resource, "birthDate") ?? null;
  const attributes = {
    sex: sexes[text(resource, "gender") ?? ""] ?? null,
    birthYear: birthDate === null ? null : Number(birthDate.slice(0, 4)),
    deceased: deceasedOf(resource),
    familyName: text(name, "family") ?? text(name, "text") ?? null,
    givenNames: texts(name, "given"),
    birthDate,
    address: addressOf(resource),
    telecom: children(resource, "telecom").flatMap((one) => text(one, "value") ?? []),
  };
  const wholly = isWhole(resource, speaker);
  // Two resources that go by one identifier are one record: neither of them has all that the other says.
  const id = text(resource, "id");
  const identifiersComplete = wholly && (id === undefined || own.value === id);
  const cleared = wholly
    ? Object.entries(attributes).flatMap(([attribute, value]) => (isMissing(value) ? [attribute] : []))
    : [];
  const { sex, birthYear, deceased, ...personal } = attributes;
  const event: EventDraft = {
    type: stored ? "PatientUpdated" : "PatientRegistered",
    subject: own.id,
    ...versionTime(resource, speaker),
    fields: {
      facility: facilityOf(speaker),
      identifiers: identifiers.map(clear),
      identifiersComplete,
      ...{ sex, birthYear, deceased, cleared },
    },
    sealed: { identifierValues: identifiers.map(({ value }) => value), ...personal },
    sealFor: own.id,
  };
  return { events: [event, ...mergesOf(resource, identifiers[0]!, speaker)], sealFor: [own.id], flags: [] };
}

/** `Patient.link`: this record is retired in favour of another (replaced-by), or others in its favour (replaces). */
function mergesOf(resource: Element, own: PatientIdentifier, speaker: Speaker): readonly EventDraft[] {
  const linked = (kind: string): readonly PatientIdentifier[] =>
    children(resource, "link").flatMap(({ type, other }) => {
      const found = type === kind ? namingOfReference("Patient", other as Element, speaker) : undefined;
      return found && found.id !== own.id ? [{ ...found, strong: false }] : [];
    });
  return [
    ...linked("replaced-by")
      .slice(0, 1)
      .flatMap((surviving) => mergeOf(own, surviving, resource, speaker)),
    ...linked("replaces").flatMap((retired) => mergeOf(retired, own, resource, speaker)),
  ];
}

function mergeOf(
  retired: PatientIdentifier,
  surviving: PatientIdentifier,
  resource: Element,
  speaker: Speaker,
): readonly EventDraft[] {
  const merges = [{ retired: clear(retired), surviving: clear(surviving) }];
  const both = {
    facility: facilityOf(speaker),
    survivingPatientId: surviving.id,
    retiredPatientId: retired.id,
    merges,
  };
  const told = versionTime(resource, speaker);
  const side = (role: "RETIRED" | "SURVIVING", { id, value }: Naming): EventDraft => ({
    type: "PatientsMerged",
    subject: id,
    ...told,
    fields: { ...both, role },
    sealed: { values: [value] },
    sealFor: id,
  });
  return [side("RETIRED", retired), side("SURVIVING", surviving)];
}

/** A Coverage: the number that a payer knows its member by is one more identifier of the patient. */
export function translateCoverage(resource: Element, speaker: Speaker): Meaning {
  const patient = namingOfReference("Patient", child(resource, "beneficiary"), speaker);
  if (!patient) return { events: [], sealFor: [], flags: ["PATIENT_UNIDENTIFIED"] };
  const own: PatientIdentifier = { ...patient, strong: false };
  const subscriber = namingOfReference("Patient", child(resource, "subscriber"), speaker);
  const value = text(resource, "subscriberId");
  const payer = organizationOf(children(resource, "payor")[0], speaker);
  // A dependent shares the subscriber's number, which would make one of the two.
  const isSelf = ["self", undefined].includes(codeOf(child(resource, "relationship")));
  const isOwn =
    subscriber === undefined ? isSelf && text(resource, "dependent") === undefined : subscriber.id === patient.id;
  if (value === undefined || payer === "" || !isOwn)
    return { events: [], sealFor: [patient.id], flags: ["NO_MEMBER_NUMBER"] };
  const authority = speaker.profile.payers[payer] ?? payer;
  const member: PatientIdentifier = {
    id: speaker.surrogate("patient", authority, "MI", value),
    authority,
    type: "MI",
    value,
    strong: isStrong(authority, "MI", speaker),
  };
  const event: EventDraft = {
    type: "PatientUpdated",
    subject: patient.id,
    ...versionTime(resource, speaker),
    fields: { facility: facilityOf(speaker), identifiers: [clear(own), clear(member)] },
    sealed: { identifierValues: [own.value, member.value] },
    sealFor: patient.id,
  };
  return { events: [event], sealFor: [patient.id], flags: [] };
}

/** Name, family name first, of a patient within a resource. */
export function containedPatient(resource: Element | undefined): {
  readonly name: string | null;
  readonly birthDate: string | null;
} {
  const name = resource && nameOf(resource);
  const parts = [text(name, "family"), ...texts(name, "given")].filter((part) => part !== undefined);
  return { name: parts.length > 0 ? parts.join(", ") : null, birthDate: dayOf(text(resource, "birthDate")) ?? null };
}
