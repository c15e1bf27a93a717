import type { Surrogate } from "../../engine/intake/connector.js";
import { undoEscapes } from "./escape.js";
import {
  component,
  type Message,
  NULL_VALUE,
  orNull,
  partOf,
  repetitions,
  type Segment,
  subcomponent,
} from "./message.js";
import type { Profile } from "./profile.js";

/** An identifier of a patient as a message gives it (data type CX). */
export interface PatientIdentifier {
  /** Surrogate id of (authority, type, value). */
  readonly id: string;
  readonly authority: string;
  readonly type: string;
  readonly value: string;
  /** The sender named no authority, so the facility stands for it. */
  readonly fromFacility: boolean;
}

/** Who speaks: the sending facility (MSH-4.1), its profile, and how ids are made. */
export interface Speaker {
  readonly facility: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
}

/**
 * The assigning authority of a CX: the name space, else the universal id, else `@` and the sending facility.
 * @param text CX.4 as sent.
 */
export function authorityOf(text: string, message: Message, facility: string): { name: string; fromFacility: boolean } {
  const named = orNull(subcomponent(text, 1, message.delimiters));
  const name = named ?? orNull(subcomponent(text, 2, message.delimiters));
  return name === null ? { name: `@${facility}`, fromFacility: true } : { name, fromFacility: false };
}

/**
 * The identifiers of a field (data type CX), each once, in the order sent.
 * @param of whom or what they identify.
 */
export function identifiersOf(
  message: Message,
  segment: Segment,
  field: number,
  speaker: Speaker,
  of: "patient" | "visit" = "patient",
): readonly PatientIdentifier[] {
  const found = new Map<string, PatientIdentifier>();
  for (const repetition of repetitions(segment, field)) {
    const sent = partOf(repetition, 1);
    if (sent === "" || sent === NULL_VALUE) continue;
    const authority = authorityOf(partOf(repetition, 4), message, speaker.facility);
    const type = undoEscapes(orNull(partOf(repetition, 5)) ?? "", message.delimiters);
    const value = undoEscapes(sent, message.delimiters);
    const id = speaker.surrogate(of, authority.name, type, value);
    if (!found.has(id))
      found.set(id, { id, authority: authority.name, type, value, fromFacility: authority.fromFacility });
  }
  return [...found.values()];
}

/** The patient identifiers of a PID as sent: PID-3, and PID-2 where the profile reads it and PID-3 is empty. */
export function patientIdentifiers(message: Message, pid: Segment, speaker: Speaker): readonly PatientIdentifier[] {
  const found = identifiersOf(message, pid, 3, speaker);
  if (found.length > 0 || !speaker.profile.identifiers.readPid2) return found;
  return identifiersOf(message, pid, 2, speaker);
}

/**
 * Puts the facility's own identifier first (the profile's order; default MR, then PI, then the first sent): it is the
 * one that names the patient.
 */
export function ownFirst(found: readonly PatientIdentifier[], profile: Profile): readonly PatientIdentifier[] {
  if (found.length < 2) return found;
  for (const { authority, type } of profile.identifiers.order) {
    const at = found.findIndex(
      (one) => (authority === undefined || one.authority === authority) && (type === undefined || one.type === type),
    );
    if (at < 0) continue;
    return [found[at] as PatientIdentifier, ...found.slice(0, at), ...found.slice(at + 1)];
  }
  return found;
}

/**
 * Whether an identifier links records of one person, as the profile says.
 * @param own the facility's own identifier in the same message, whose authority is the sender's.
 */
export function isStrong(identifier: PatientIdentifier, own: PatientIdentifier, speaker: Speaker): boolean {
  const { authority, type } = identifier;
  const { facility, profile } = speaker;
  const foreign = authority !== facility && authority !== `@${facility}` && authority !== own.authority;
  return profile.identifiers.strong.some(
    (choice) =>
      (choice.authority === undefined || choice.authority === authority) &&
      (choice.type === undefined || choice.type === type) &&
      (foreign || !choice.foreign),
  );
}

/** An identifier without its value, as events carry it in the clear. */
export function clearIdentifier(
  identifier: PatientIdentifier,
  own: PatientIdentifier,
  speaker: Speaker,
): { identifierId: string; authority: string; type: string; strong: boolean } {
  const { id, authority, type } = identifier;
  return { identifierId: id, authority, type, strong: isStrong(identifier, own, speaker) };
}

/** A visit as a message names it. */
export interface VisitIdentity {
  readonly id: string;
  readonly authority: string;
  readonly number: string;
  /** The sender named no authority, so the facility stands for it. */
  readonly fromFacility: boolean;
}

/** A visit segment, the visit that it names, and whose it is. */
export interface NamedVisit {
  readonly pv1: Segment;
  readonly visit: VisitIdentity;
  /** The patient, when the message names one. */
  readonly patientId: string | null;
}

/** The visit that a field of type CX names. @returns undefined when it names none. */
export function visitIn(
  message: Message,
  segment: Segment | undefined,
  field: number,
  speaker: Speaker,
): VisitIdentity | undefined {
  const sent = orNull(component(segment, field, 1));
  if (sent === null) return undefined;
  const { name, fromFacility } = authorityOf(component(segment, field, 4), message, speaker.facility);
  const number = undoEscapes(sent, message.delimiters);
  return { id: speaker.surrogate("visit", name, "", number), authority: name, number, fromFacility };
}

/** The visit of a message: PV1-19. */
export const visitOf = (message: Message, pv1: Segment | undefined, speaker: Speaker): VisitIdentity | undefined =>
  visitIn(message, pv1, 19, speaker);
