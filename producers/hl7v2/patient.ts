import type { EventDraft } from "../../engine/intake/connector.js";
import { dateOf } from "./datetime.js";
import type { Delimiters } from "./delimiters.js";
import { undoEscapes } from "./escape.js";
import { clearIdentifier, type PatientIdentifier, type Speaker } from "./identify.js";
import {
  component,
  type Message,
  NULL_VALUE,
  orNull,
  partOf,
  rawField,
  repetitions,
  type Segment,
  subcomponent,
  triggerOf,
} from "./message.js";
import type { Telling } from "./telling.js";
import { timeStamp } from "./time.js";

/** Triggers that send a patient as a full record. */
const REGISTERING = new Set(["A01", "A04", "A05", "A28"]);

/**
 * The patient event of a PID. What the sender leaves empty is kept; what it sends as `""` is named in `cleared`.
 * @param identifiers of the PID, the facility's own first; at least one.
 */
export function patientEvent(
  { message, speaker, time, flags }: Telling,
  pid: Segment,
  identifiers: readonly PatientIdentifier[],
): EventDraft {
  const own = identifiers[0] as PatientIdentifier;
  const registers = component(message.header, 9, 1) === "ADT" && REGISTERING.has(triggerOf(message));
  const cleared: string[] = [];
  const clear = (field: number, ...names: string[]) => {
    if (rawField(pid, field).trim() === NULL_VALUE) cleared.push(...names);
  };
  clear(8, "sex");
  clear(7, "birthYear", "birthDate");
  clear(30, "deceased");
  const address = addressOf(pid, message.delimiters);
  if (address === null && isNulled(pid, 11, [1])) cleared.push("address");
  const name = nameOf(pid);
  const familyName = nullable(message, partOf(name, 1), "familyName", cleared);
  const givenNames = givenNamesOf(name, message.delimiters);
  if (rawField(pid, 5).trim() === NULL_VALUE || partOf(name, 2) === NULL_VALUE) cleared.push("givenNames");
  const telecom = telecomOf(pid, message.delimiters);
  if (telecom.length === 0 && [13, 14].some((field) => isNulled(pid, field, [1, 7, 12]))) cleared.push("telecom");
  const birth = timeStamp(pid, 7);
  return {
    type: registers ? "PatientRegistered" : "PatientUpdated",
    subject: own.id,
    ...time,
    fields: {
      facility: speaker.facility,
      identifiers: identifiers.map((identifier) => clearIdentifier(identifier, own, speaker)),
      sex: orNull(component(pid, 8, 1)),
      birthYear: birth?.year ?? null,
      deceased: deceasedOf(pid),
      cleared,
      flags,
    },
    sealed: {
      identifierValues: identifiers.map(({ value }) => value),
      familyName,
      givenNames,
      birthDate: birth === undefined ? null : dateOf(birth),
      address,
      telecom,
      extensions: extensionsOf(message, speaker),
    },
    sealFor: own.id,
  };
}

/** Whether a field is sent as null, as a whole or part by part, as many senders do; told by the parts that carry it. */
const isNulled = (pid: Segment, field: number, parts: readonly number[]): boolean =>
  repetitions(pid, field).some((repetition) => parts.some((part) => partOf(repetition, part) === NULL_VALUE));

/** Fields of the sender's own segments, under the names that its profile gives them. */
function extensionsOf(message: Message, speaker: Speaker): { name: string; value: string }[] {
  const found: { name: string; value: string }[] = [];
  for (const [segmentName, fields] of Object.entries(speaker.profile.zSegments)) {
    const segment = message.segments.find(({ name }) => name === segmentName);
    if (segment === undefined) continue;
    for (const [number, name] of Object.entries(fields)) {
      const sent = orNull(rawField(segment, Number(number)));
      if (sent !== null) found.push({ name, value: undoEscapes(sent, message.delimiters) });
    }
  }
  return found;
}

function nullable(message: Message, sent: string, name: string, cleared: string[]): string | null {
  const text = subcomponent(sent, 1, message.delimiters);
  if (text === NULL_VALUE) cleared.push(name);
  return orNull(text);
}

/** The legal name (XPN.7 = L) of several, else the first. */
function nameOf(pid: Segment): readonly string[] | undefined {
  const names = repetitions(pid, 5);
  return names.find((name) => partOf(name, 7) === "L") ?? names[0];
}

/** XPN.2 and XPN.3: the first given name and the further ones. */
function givenNamesOf(name: readonly string[] | undefined, delimiters: Delimiters): string[] {
  return [partOf(name, 2), partOf(name, 3)]
    .map((part) => undoEscapes(orNull(part) ?? "", delimiters))
    .filter((part) => part !== "");
}

/** PID-30 says it; a time of death in PID-29 without it says it too. */
function deceasedOf(pid: Segment): boolean | null {
  const indicator = component(pid, 30, 1).toUpperCase();
  if (indicator === "Y") return true;
  if (indicator === "N") return false;
  return indicator === "" && timeStamp(pid, 29) !== undefined ? true : null;
}

/** First repetition of PID-11 that holds something: street, other designation, city, state, code, country. */
function addressOf(pid: Segment, delimiters: Delimiters): string | null {
  for (const repetition of repetitions(pid, 11)) {
    const parts: string[] = [];
    for (let part = 1; part <= 6; part++) {
      const text = orNull(subcomponent(partOf(repetition, part), 1, delimiters));
      if (text !== null) parts.push(text.replace(/\s+/g, " "));
    }
    if (parts.length > 0) return parts.join(", ");
  }
  return null;
}

/** Numbers and mail addresses of PID-13 (home) and PID-14 (business), each once. */
function telecomOf(pid: Segment, delimiters: Delimiters): string[] {
  const found = new Set<string>();
  for (const field of [13, 14]) {
    for (const repetition of repetitions(pid, field)) {
      const text = undoEscapes(contactOf(repetition), delimiters);
      if (text !== "") found.add(text);
    }
  }
  return [...found];
}

/** XTN: the number as written, else the mail address, the unformatted number, or area code and local number. */
function contactOf(xtn: readonly string[]): string {
  const whole = [1, 4, 12].map((part) => orNull(partOf(xtn, part))).find((text) => text !== null);
  if (whole !== undefined && whole !== null) return whole;
  // A country and an area without a number reach nobody.
  if (orNull(partOf(xtn, 7)) === null) return "";
  return [5, 6, 7]
    .map((part) => orNull(partOf(xtn, part)) ?? "")
    .filter((text) => text !== "")
    .join(" ");
}
