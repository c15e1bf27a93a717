import { createHash } from "node:crypto";
import type { EventDraft, Surrogate } from "../../engine/intake/connector.js";
import { readMoment } from "./datetime.js";
import { child, children, type Element, text, typeOf } from "./element.js";
import type { Profile } from "./profile.js";
import { assignerOf, identifierType, type ReferenceScope, type Target, targetOf } from "./reference.js";
import { authorityUnder, type Place } from "./servers.js";

/** Who sends a resource, in what company, and how ids are made. */
export interface Speaker extends ReferenceScope {
  readonly partner: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  /** Uuid of its address in a bundle (`urn:uuid:…`). */
  readonly uuid?: string | undefined;
  /** Epoch milliseconds: when we had it; the clock of a resource that has none. */
  readonly receivedAt: number;
  /** Epoch milliseconds: `Bundle.timestamp`, where it came in one. */
  readonly sentAt?: number | undefined;
}

/** What a resource means. */
export interface Meaning {
  readonly events: readonly EventDraft[];
  /** Surrogate ids of the persons that it is about. */
  readonly sealFor: readonly string[];
  readonly flags: readonly string[];
}

/** Type code of a resource's own id (HL7 table 0203: resource identifier). */
export const resourceIdentifier = "RI";

export const facilityOf = ({ profile, partner }: Speaker): string => profile.facility ?? partner;

/** Who assigns the resource's id, and those of what it names on the same server. */
export const serverOf = (speaker: Speaker): string => authorityUnder(speaker.home, speaker);

/** Name of the authority behind a system of identifiers. */
export function authorityOf(system: string | undefined, speaker: Speaker): string {
  if (system === undefined || system === "") return `@${facilityOf(speaker)}`;
  return speaker.profile.systems[system] ?? system;
}

export type Named = "Patient" | "Encounter" | "Claim";
const kindOf = { Patient: "patient", Encounter: "visit", Claim: "claim" } as const;

/** How an entity is named: what its surrogate id is made of. */
export interface Naming {
  readonly id: string;
  readonly authority: string;
  readonly type: string;
  readonly value: string;
}

function naming(named: Named, authority: string, type: string, value: string, { surrogate }: Speaker): Naming {
  return { id: surrogate(kindOf[named], authority, type, value), authority, type, value };
}

/** An entity that goes by a business identifier. Visits and claims have no type of identifier in their names. */
function byIdentifier(named: Named, identifier: Element, speaker: Speaker): Naming {
  const type = named === "Patient" ? typeOfIdentifier(identifier, speaker) : "";
  return naming(named, authorityOf(text(identifier, "system"), speaker), type, text(identifier, "value")!, speaker);
}

/** Its type; where none is said, as mostly in references, the one that the profile says of its system. */
export function typeOfIdentifier(identifier: Element, { profile: { naming, types } }: Speaker): string {
  const said = identifierType(identifier);
  const system = text(identifier, "system");
  if (said !== "" || system === undefined) return said;
  const ofNaming = system === naming.Patient ? naming.PatientType : undefined;
  return ofNaming ?? (Object.hasOwn(types, system) ? types[system] : undefined) ?? "";
}

function byId(named: Named, id: string, speaker: Speaker, at: Place = "here"): Naming {
  return naming(
    named,
    assignerOf(at, speaker.home, speaker),
    named === "Patient" ? resourceIdentifier : "",
    id,
    speaker,
  );
}

/**
 * What names a resource: the identifier of the system that the profile says, else its own id on the sender's server,
 * else (a resource not yet stored anywhere) its own identifier, or its address in the bundle. A reference to it gives the
 * same, whichever way it goes.
 */
export function namingOf(named: Named, resource: Element, speaker: Speaker): Naming | undefined {
  const identifiers = children(resource, "identifier").filter((one) => text(one, "value") !== undefined);
  const system = speaker.profile.naming[named];
  const chosen = identifiers.find((one) => system !== undefined && one.system === system);
  if (chosen) return byIdentifier(named, chosen, speaker);
  const id = text(resource, "id");
  if (id !== undefined) return byId(named, id, speaker);
  for (const { system: of, type } of speaker.profile.identifiers.order) {
    const found = identifiers.find(
      (one) => (of === undefined || one.system === of) && (type === undefined || identifierType(one) === type),
    );
    if (found && named === "Patient") return byIdentifier(named, found, speaker);
  }
  if (identifiers[0]) return byIdentifier(named, identifiers[0], speaker);
  // Stored nowhere yet and without a number of its own, it is what the bundle calls it.
  return speaker.uuid !== undefined && resource === speaker.resource
    ? byId(named, speaker.uuid, speaker, "own")
    : undefined;
}

/** What names the target of a reference; undefined when it names none, or one that is of another type. */
export function namingOfReference(named: Named, reference: Element | undefined, speaker: Speaker): Naming | undefined {
  const target: Target = targetOf(reference, speaker);
  if (target.kind === "contained") {
    if (typeOf(target.resource) !== named) return undefined;
    // A contained resource's id means nothing outside.
    const { id: _, ...outside } = target.resource;
    return namingOf(named, outside, speaker);
  }
  if (target.kind === "none" || (target.type !== "" && target.type !== named)) return undefined;
  if (target.kind === "id") return byId(named, target.id, speaker, target.at);
  const { type } = child(reference, "identifier") ?? {};
  return byIdentifier(named, { type, system: target.system, value: target.value }, speaker);
}

/**
 * The clock of a resource: when its server last changed it, else when it was sent, else when we had it. Versions of one
 * resource are in the order of this clock, which for a sender without clocks is the order of arrival.
 */
export function versionTime(resource: Element, speaker: Speaker): Pick<EventDraft, "time" | "timePrecision"> {
  const updated = text(child(resource, "meta"), "lastUpdated");
  const moment = updated === undefined ? undefined : readMoment(updated);
  if (moment) return { time: moment.time, timePrecision: "MILLISECOND" };
  return { time: speaker.sentAt ?? speaker.receivedAt, timePrecision: "MILLISECOND" };
}

/** The business time that an element states. */
export function statedTime(
  stated: string | undefined,
  speaker: Speaker,
): Pick<EventDraft, "time" | "timePrecision"> | undefined {
  const moment = stated === undefined ? undefined : readMoment(stated, speaker.profile.timezone);
  return moment && { time: moment.time, timePrecision: moment.precision };
}

/** What `decimal(14,2)` holds, as all our amounts. */
export const largestAmount = 999_999_999_999.99;

/** Amount in whole cents; undefined when there is none. A fraction of a cent is rounded half up. */
export function centsOf(money: Element | undefined): number | undefined {
  const value = money?.value;
  if (typeof value !== "number" || Math.abs(value) > largestAmount) return undefined;
  // The shortest text that reads back as the same number is what was sent; times 100 it would not be exact.
  const [whole = "0", fraction = ""] = plain(Math.abs(value)).split(".");
  const cents =
    Number(whole) * 100 + Number(fraction.slice(0, 2).padEnd(2, "0")) + (Number(fraction[2] ?? "0") >= 5 ? 1 : 0);
  return value < 0 ? -cents : cents;
}

/** Whether an amount has a fraction of a cent, which is rounded. */
export function hasFraction(money: Element | undefined): boolean {
  const value = money?.value;
  return typeof value === "number" && (plain(Math.abs(value)).split(".")[1] ?? "").length > 2;
}

/** A number without an exponent. */
function plain(value: number): string {
  const shown = String(value);
  return shown.includes("e") ? value.toFixed(12) : shown;
}

/** Fields that hold keyed ids: the same facts have others in another installation. */
const keyed = new Set(["patientId", "visitId", "remittanceId", "payerControlNumberHash"]);
const short = (content: string) => createHash("sha256").update(content).digest("hex").slice(0, 16);

/** Hash of facts, 32 hexadecimal digits: first over what is the same in every installation, then over all. */
export function contentHash(facts: object): string {
  const clear = JSON.stringify(facts, (name, value: unknown) => (keyed.has(name) ? undefined : value));
  return short(clear) + short(JSON.stringify(facts));
}
