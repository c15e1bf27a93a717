import type { EventDraft } from "../../engine/intake/connector.js";
import { readMoment } from "./datetime.js";
import { isResourceType } from "./definitions.js";
import { child, type Element, text } from "./element.js";
import { facilityOf, type Meaning, type Named, namingOf, type Speaker } from "./speaker.js";

/** A resource that is no longer on its server: an entry of a history without a resource. */
export interface Deletion {
  readonly type: string;
  readonly id: string;
  /** Number of the version that is the deletion, where the server gives one. */
  readonly version: string | undefined;
  /** Epoch milliseconds: when it was deleted (`response.lastModified`). */
  readonly time: number | undefined;
}

const address = /(?:^|\/)([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/;

/** @returns undefined when the entry deletes nothing that has a name. */
export function deletionOf(entry: Element): Deletion | undefined {
  const request = child(entry, "request");
  if (entry.resource !== undefined || text(request, "method") !== "DELETE") return undefined;
  const found = address.exec(text(request, "url") ?? "") ?? address.exec(text(entry, "fullUrl") ?? "");
  const [, type = "", id] = found ?? [];
  if (id === undefined || !isResourceType(type)) return undefined;
  const response = child(entry, "response");
  const tag = /^(?:W\/)?"([A-Za-z0-9\-.]{1,64})"$/.exec(text(response, "etag") ?? "")?.[1];
  return { type, id, version: found?.[3] ?? tag, time: readMoment(text(response, "lastModified") ?? "")?.time };
}

const isNamed = (type: string): type is Named => type === "Patient" || type === "Encounter" || type === "Claim";

/**
 * What a deletion means. A visit is called off, whatever its state, as by A23 of HL7 v2. A patient or claim is kept as it
 * was told: that a server forgets a record says nothing of the person, and withdraws nothing from a payer.
 */
export function translateDeletion({ type, id, time }: Deletion, speaker: Speaker): Meaning {
  const flags = ["DELETED_AT_SOURCE"];
  if (!isNamed(type)) return { events: [], sealFor: [], flags };
  // What goes by a business identifier is not known by its id alone.
  if (speaker.profile.naming[type] !== undefined)
    return { events: [], sealFor: [], flags: [...flags, "DELETED_UNNAMED"] };
  const own = namingOf(type, { resourceType: type, id }, speaker);
  if (own === undefined || type !== "Encounter") return { events: [], sealFor: own ? [own.id] : [], flags };
  const called: EventDraft = {
    type: "VisitCancelled",
    subject: own.id,
    time: time ?? speaker.sentAt ?? speaker.receivedAt,
    timePrecision: "MILLISECOND",
    fields: { patientId: null, facility: facilityOf(speaker), authority: own.authority, cancels: "VISIT" },
    sealed: { visitNumber: own.value },
    sealFor: own.id,
  };
  return { events: [called], sealFor: [own.id], flags };
}
