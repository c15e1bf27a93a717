import { isOverlong } from "../../engine/intake/surrogate.js";
import { speaksFor } from "./profile.js";
import type { Data } from "./read-form.js";
import type { Sender } from "./telling.js";
import { neededText, textOf, ValueProblem } from "./values.js";

/** An identifier as a partner gives it. */
export interface GivenIdentifier {
  readonly identifierId: string;
  readonly authority: string;
  readonly type: string;
  readonly strong: boolean;
  readonly value: string;
}

/** Refuses what the partner doesn't speak for: nobody tells facts about another's patients, visits or claims. */
export function mustSpeakFor(list: readonly string[], name: string, place: string): void {
  if (!speaksFor(list, name)) throw new ValueProblem("NOT_AUTHORIZED", place);
}

export function identifierOf(data: Data, place: string, { profile, surrogate }: Sender): GivenIdentifier {
  const authority = neededText(data, "authority", place);
  const type = neededText(data, "type", place);
  const value = neededText(data, "value", place).trim();
  if (isOverlong({ authority, type, value })) throw new ValueProblem("FIELD_INVALID", `${place}.value`);
  const identifierId = surrogate("patient", authority, type, value);
  // What links records of one person is decided here, not by whoever sends it.
  return { identifierId, authority, type, value, strong: profile.strongTypes.includes(type) };
}

/** An identifier without its value, as events carry it in the clear. */
export const clear = ({ value: _value, ...rest }: GivenIdentifier) => rest;

/** The patient that a visit or claim names; it must be one that the partner speaks for. */
export function patientOf(data: Data, sender: Sender): string | null {
  if (!data.patient) return null;
  const { authority, identifierId } = identifierOf(data.patient as Data, "data.patient", sender);
  mustSpeakFor(sender.profile.authorities, authority, "data.patient.authority");
  return identifierId;
}

/** An alternate identifier of a visit. Of whichever assigner: it names nobody. */
export function visitIdentifierOf(data: Data, place: string, { surrogate }: Sender) {
  const authority = neededText(data, "authority", place);
  const type = textOf(data, "type") ?? "";
  const value = neededText(data, "value", place).trim();
  if (isOverlong({ authority, type, value })) throw new ValueProblem("FIELD_INVALID", `${place}.value`);
  return { identifierId: surrogate("visit", authority, type, value), authority, type, value };
}

/** The visit that a claim names; it must be one that the partner speaks for. */
export function visitOf(data: Data, { profile, surrogate }: Sender): string | null {
  if (!data.visit) return null;
  const visit = data.visit as Data;
  const authority = neededText(visit, "authority", "data.visit");
  mustSpeakFor(profile.authorities, authority, "data.visit.authority");
  return surrogate("visit", authority, "", neededText(visit, "number", "data.visit"));
}
