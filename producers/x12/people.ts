import type { Surrogate } from "../../engine/intake/connector.js";
import { readDate } from "./element.js";
import { decodeText, type Profile } from "./profile.js";
import type { Segment } from "./tokenizer.js";

/** A person of an NM1 loop. */
export interface Person {
  readonly name: string | null;
  readonly firstName: string;
  /** NM109 when NM108 says that it is a member id, else empty. */
  readonly memberId: string;
  /** YYYY-MM-DD, from the DMG that follows. */
  readonly birthDate: string | null;
}

/** Qualifiers (element 66) of ids that a payer gives its members; a social security number (34) is none. */
const MEMBER_QUALIFIERS = new Set(["MI", "II", "ZZ", "C", "C1"]);

/** Reads NM1 of a person: family name first. */
export function personOf(segment: Segment, profile: Profile): Person {
  const at = (index: number): string => decodeText(profile, segment.elements[index] ?? "").trim();
  const name = [at(3), at(4)].filter((part) => part !== "").join(", ");
  return {
    name: name === "" ? null : name,
    firstName: at(4),
    memberId: MEMBER_QUALIFIERS.has(at(8)) ? at(9) : "",
    birthDate: null,
  };
}

/** The person with the birth date of a DMG segment. */
export function withBirthDate(person: Person, segment: Segment): Person {
  return { ...person, birthDate: readDate(segment.elements[2]) ?? person.birthDate };
}

/** Surrogate id of a subscriber; null when no member id names one. */
export function subscriberId(surrogate: Surrogate, payer: string, subscriber: Person | null): string | null {
  if (!subscriber || subscriber.memberId === "") return null;
  return surrogate("patient", payer, "MI", subscriber.memberId);
}

/**
 * Surrogate id of a dependent: a member id of its own, else the subscriber's with birth date and first name, which is how
 * payers tell a family apart. Null when these are missing.
 */
export function dependentId(
  surrogate: Surrogate,
  payer: string,
  subscriber: Person | null,
  dependent: Person,
): string | null {
  if (dependent.memberId !== "" && dependent.memberId !== subscriber?.memberId) {
    return surrogate("patient", payer, "MI", dependent.memberId);
  }
  if (!subscriber || subscriber.memberId === "" || !dependent.birthDate || dependent.firstName === "") return null;
  const value = `${subscriber.memberId}|${dependent.birthDate}|${dependent.firstName.toUpperCase()}`;
  return surrogate("patient", payer, "MI-DEP", value);
}
