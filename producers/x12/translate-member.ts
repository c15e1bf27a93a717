import type { EventDraft } from "../../engine/intake/connector.js";
import { instantOf } from "./clock.js";
import { readDate } from "./element.js";
import { dependentId, type Person, personOf, subscriberId, withBirthDate } from "./people.js";
import { decodeText, type Profile } from "./profile.js";
import { payerId, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";

/** What stands before the people of a set: when it was written, and whose members they are. */
export interface MemberContext {
  readonly date: string;
  readonly time: string;
  readonly payer: string;
}

/** Head of an 834: BGN03, BGN04 and the insurer (N1*IN). */
export function readEnrolment(segments: readonly Segment[]): MemberContext {
  const at = (segment: Segment | undefined, index: number): string => (segment?.elements[index] ?? "").trim();
  const bgn = segments.find(({ id }) => id === "BGN");
  const insurer = segments.find((segment) => segment.id === "N1" && segment.elements[1] === "IN");
  return { date: at(bgn, 3), time: at(bgn, 4), payer: at(insurer, 4) || at(insurer, 2) };
}

/** A person with what a patient event says besides. */
interface Member {
  person: Person;
  familyName: string;
  givenNames: string[];
  sex: string | null;
  address: string[];
  telecom: string[];
}

interface Household {
  /** REF*0F of an 834: the subscriber's number. */
  subscriberNumber: string;
  isSubscriber: boolean;
  deceased: boolean;
  /** The source has no such person, or may not tell (AAA). */
  refused: boolean;
  readonly members: Member[];
}

/** Persons (NM101) of an 834 (member, corrected member) and of a 271 (subscriber, dependent). */
const persons = new Set(["IL", "74", "03"]);

/**
 * Translates one member of an 834 (005010X220) or the person a 271 (005010X279) tells about: PatientUpdated with what the
 * payer holds. Coverage has no event of ours; the unit keeps it. Nobody named, or a refusal (AAA): no event. Pure.
 */
export function translateMember(
  segments: readonly Segment[],
  context: MemberContext,
  surroundings: Surroundings,
): Translation {
  const { profile, surrogate, interchange, set } = surroundings;
  const isEnrolment = set.set === "834";
  const household = read(segments, profile);
  const payer = payerId(profile, context.payer, isEnrolment ? interchange.receiver : interchange.sender);
  const identified = isEnrolment
    ? enrolled(household, payer, surroundings)
    : household.members.map((member, index) => {
        const [first] = household.members;
        const id =
          index === 0
            ? subscriberId(surrogate, payer, member.person)
            : dependentId(surrogate, payer, first!.person, member.person);
        return { member, id, number: first!.person.memberId, type: index === 0 ? "MI" : "MI-DEP" };
      });
  const time = instantOf(context.date, context.time, profile.timeZone) ?? { time: 0, precision: "DAY" as const };
  const events: EventDraft[] = [];
  const sealFor: string[] = [];
  for (const { member, id, number, type } of identified) {
    if (id === null || sealFor.includes(id)) continue;
    sealFor.push(id);
    if (!household.refused) events.push(updated(member, { id, number, type }, payer, household, time));
  }
  const flags = identified.some(({ id }) => id === null) || identified.length === 0 ? ["PATIENT_UNIDENTIFIED"] : [];
  const trace = segments.find(({ id }) => id === "TRN")?.elements[2]?.trim() ?? "";
  return { events, flags, sealFor, number: trace };
}

/** A member of an 834 is one person, whose subscriber is only a number. */
function enrolled(household: Household, payer: string, { surrogate }: Surroundings) {
  const member = household.members.at(-1);
  if (!member) return [];
  const number = household.subscriberNumber || member.person.memberId;
  const subscriber: Person = { name: null, firstName: "", memberId: number, birthDate: null };
  const id = household.isSubscriber
    ? subscriberId(surrogate, payer, subscriber)
    : dependentId(surrogate, payer, subscriber, member.person);
  return [{ member, id, number, type: household.isSubscriber ? "MI" : "MI-DEP" }];
}

function updated(
  member: Member,
  { id, number, type }: { readonly id: string; readonly number: string; readonly type: string },
  payer: string,
  household: Household,
  { time, precision }: { readonly time: number; readonly precision: "DAY" | "MINUTE" | "SECOND" },
): EventDraft {
  const { birthDate } = member.person;
  return {
    type: "PatientUpdated",
    subject: id,
    time,
    timePrecision: precision,
    fields: {
      facility: payer,
      identifiers: [{ identifierId: id, authority: payer, type }],
      sex: member.sex,
      birthYear: birthDate === null ? null : Number(birthDate.slice(0, 4)),
      deceased: household.deceased ? true : null,
    },
    sealed: {
      identifierValues: [number],
      familyName: member.familyName || null,
      givenNames: member.givenNames,
      birthDate,
      address: member.address.length === 0 ? null : member.address.join(", "),
      telecom: member.telecom,
    },
    sealFor: id,
  };
}

function read(segments: readonly Segment[], profile: Profile): Household {
  const household: Household = {
    subscriberNumber: "",
    isSubscriber: false,
    deceased: false,
    refused: false,
    members: [],
  };
  let inPerson = false;
  for (const segment of segments) {
    const at = (index: number): string => decodeText(profile, segment.elements[index] ?? "").trim();
    switch (segment.id) {
      case "INS":
        household.isSubscriber ||= at(1) === "Y";
        household.deceased ||= readDate(segment.elements[12]) !== null;
        break;
      case "REF":
        if (at(1) === "0F") household.subscriberNumber = at(2);
        break;
      case "AAA":
        household.refused = true;
        break;
      case "NM1":
        inPerson = persons.has(at(1));
        if (inPerson) household.members.push(memberOf(segment, profile, at));
        break;
      default:
        if (inPerson) readPerson(household.members.at(-1)!, segment, at);
    }
  }
  return household;
}

function memberOf(segment: Segment, profile: Profile, at: (index: number) => string): Member {
  return {
    person: personOf(segment, profile),
    familyName: at(3),
    givenNames: [at(4), at(5)].filter((name) => name !== ""),
    sex: null,
    address: [],
    telecom: [],
  };
}

function readPerson(member: Member, segment: Segment, at: (index: number) => string): void {
  const parts = (...indexes: readonly number[]) => indexes.map(at).filter((part) => part !== "");
  switch (segment.id) {
    case "N3":
      member.address = parts(1, 2);
      return;
    case "N4":
      member.address = [...member.address, ...parts(1, 2, 3, 4)];
      return;
    case "PER":
      for (const index of [3, 5, 7])
        if (["TE", "HP", "CP", "EM"].includes(at(index))) member.telecom.push(at(index + 1));
      return;
    case "DMG":
      member.person = withBirthDate(member.person, segment);
      member.sex = at(3) || null;
  }
}
