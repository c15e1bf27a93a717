import type { EventDraft } from "../../engine/intake/connector.js";
import { child, children, type Element, text } from "./element.js";
import { identifierType, targetOf } from "./reference.js";
import {
  authorityOf,
  facilityOf,
  type Meaning,
  type Naming,
  namingOf,
  namingOfReference,
  type Speaker,
  statedTime,
  versionTime,
} from "./speaker.js";

/** Classes of a stay in a bed (HL7 v3 ActCode). */
const stays = new Set(["IMP", "ACUTE", "NONAC", "OBSENC", "SS"]);
const under = new Set(["arrived", "triaged", "in-progress", "onleave"]);

/** Id or identifier of the place where the patient is, or was last. */
function locationOf(resource: Element, speaker: Speaker): string | null {
  const places = children(resource, "location");
  const place = places.find(({ status }) => status === "active") ?? places.at(-1);
  const target = targetOf(child(place, "location"), speaker);
  if (target.kind === "id") return target.id;
  return target.kind === "identifier" ? target.value : null;
}

/**
 * An Encounter: its state as steps of a visit. It says where the visit stands, not how it came there; so a finished one
 * is a start and an end, and one that was called off an announcement and its cancel.
 */
export function translateEncounter(resource: Element, speaker: Speaker): Meaning {
  const own = namingOf("Encounter", resource, speaker);
  const patient = namingOfReference("Patient", child(resource, "subject"), speaker);
  if (!own) return { events: [], sealFor: patient ? [patient.id] : [], flags: ["VISIT_UNIDENTIFIED"] };
  const status = text(resource, "status") ?? "unknown";
  const period = child(resource, "period");
  const owner = patient?.id ?? own.id;
  const others = alternatesOf(resource, own, speaker);
  const about = {
    ...{ patientId: patient?.id ?? null, facility: facilityOf(speaker), authority: own.authority },
    ...(others.length > 0 && {
      identifiers: others.map(({ id, authority, type }) => ({ identifierId: id, authority, type })),
    }),
  };
  const draft = {
    subject: own.id,
    ...versionTime(resource, speaker),
    sealed: {
      visitNumber: visitNumberOf(resource) ?? own.value,
      ...(others.length > 0 && { identifierValues: others.map(({ value }) => value) }),
    },
    sealFor: owner,
  };
  const code = text(child(resource, "class"), "code") ?? null;
  const place = { class: code, location: locationOf(resource, speaker) };
  const startsAt = statedTime(text(period, "start"), speaker)?.time ?? null;
  const endedAt = statedTime(text(period, "end"), speaker)?.time ?? null;

  const announced: EventDraft = { type: "VisitPreAdmitted", ...draft, fields: { ...about, ...place, startsAt } };
  const started: EventDraft = {
    type: "VisitStarted",
    ...draft,
    fields: { ...about, ...place, startedAt: startsAt, admission: stays.has(code ?? "") ? "ADMITTED" : "REGISTERED" },
  };
  const reopened: EventDraft = { type: "EndCancelled", ...draft, fields: about };
  const cancelled = (cancels: "START" | "PRE_ADMISSION"): EventDraft => ({
    type: "VisitCancelled",
    ...draft,
    fields: { ...about, cancels },
  });

  const steps = (): readonly EventDraft[] => {
    if (status === "planned") return [announced];
    if (under.has(status)) return endedBefore(resource, speaker) ? [reopened, started] : [started];
    if (status === "finished")
      return [started, { type: "VisitEnded", ...draft, fields: { ...about, class: code, endedAt } }];
    if (status === "cancelled") return [announced, cancelled("PRE_ADMISSION")];
    if (status === "entered-in-error") return [reopened, cancelled("START"), cancelled("PRE_ADMISSION")];
    return [{ type: "VisitUpdated", ...draft, fields: { ...about, ...place } }];
  };
  return { events: steps(), sealFor: [owner], flags: patient ? [] : ["PATIENT_UNIDENTIFIED"] };
}

/** Whether a visit that goes on had ended before. */
function endedBefore(resource: Element, { profile }: Speaker): boolean {
  if (profile.reopened === "always") return true;
  return children(resource, "statusHistory").some(({ status }) => status === "finished");
}

/** What identifies the visit beside what names it, each once. */
function alternatesOf(resource: Element, own: Naming, speaker: Speaker): readonly Naming[] {
  const found = new Map<string, Naming>();
  for (const identifier of children(resource, "identifier")) {
    const value = text(identifier, "value");
    const authority = authorityOf(text(identifier, "system"), speaker);
    if (value === undefined || (authority === own.authority && value === own.value)) continue;
    const type = identifierType(identifier);
    const id = speaker.surrogate("visit", authority, type, value);
    found.set(id, { id, authority, type, value });
  }
  return [...found.values()];
}

/** The number that the facility gave the visit (type VN), if any. */
function visitNumberOf(resource: Element): string | undefined {
  const numbered = children(resource, "identifier").find((identifier) =>
    children(child(identifier, "type"), "coding").some(({ code }) => code === "VN"),
  );
  return text(numbered, "value");
}
