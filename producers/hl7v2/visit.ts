import type { EventDraft } from "../../engine/intake/connector.js";
import { alternateIds } from "./alternate-visit.js";
import type { NamedVisit } from "./identify.js";
import { component, orNull, rawField, subcomponent, triggerOf } from "./message.js";
import { mergeTriggers } from "./tables.js";
import type { Telling } from "./telling.js";
import { instantField, zoneOf } from "./time.js";

/** Identity events and undone ones of other kinds: they mention the visit, and say nothing of it. */
const REFERRING = new Set([...mergeTriggers, "A24", "A25", "A26", "A28", "A29", "A31", "A37", "A42", "A43", "A50"]);

/** The visit event of a message, by its trigger. */
export function visitEvent(telling: Telling, { pv1, visit, patientId }: NamedVisit): EventDraft {
  const { message, speaker, time, flags } = telling;
  const alternates = alternateIds(message, pv1, speaker);
  const fields = {
    ...{ patientId, facility: speaker.facility, authority: visit.authority, flags },
    ...(alternates && { identifiers: alternates.clear }),
  };
  const draft = {
    subject: visit.id,
    ...time,
    sealed: { visitNumber: visit.number, ...(alternates && { identifierValues: alternates.values }) },
    sealFor: patientId ?? visit.id,
  };
  const trigger = triggerOf(message);
  if (component(message.header, 9, 1) !== "ADT" || REFERRING.has(trigger)) {
    return { ...draft, type: "VisitUpdated", fields: { ...fields, referenceOnly: true } };
  }
  const zone = zoneOf(message, speaker.profile.timezone);
  const visitClass = orNull(subcomponent(component(pv1, 2, 1), 1, message.delimiters));
  const location = orNull(rawField(pv1, 3));
  switch (trigger) {
    case "A01":
    case "A06":
    case "A04":
    case "A07": {
      const admission = trigger === "A01" || trigger === "A06" ? "ADMITTED" : "REGISTERED";
      const startedAt = instantField(pv1, 44, zone);
      return {
        ...draft,
        type: "VisitStarted",
        fields: { ...fields, admission, class: visitClass, location, startedAt },
      };
    }
    case "A05":
    case "A14": {
      const pending = trigger === "A14";
      const startsAt = instantField(pv1, 44, zone);
      // The place of a pending admission is where the patient will be, not where he is.
      const place = pending ? null : location;
      return {
        ...draft,
        type: "VisitPreAdmitted",
        fields: { ...fields, pending, class: visitClass, location: place, startsAt },
      };
    }
    case "A02":
    // Two patients change places: each group names the place that its patient has now.
    case "A17":
      return { ...draft, type: "VisitTransferred", fields: { ...fields, class: visitClass, location } };
    case "A03":
      return {
        ...draft,
        type: "VisitEnded",
        fields: { ...fields, class: visitClass, endedAt: instantField(pv1, 45, zone) },
      };
    case "A08":
      return {
        ...draft,
        type: "VisitUpdated",
        fields: { ...fields, referenceOnly: false, class: visitClass, location },
      };
    case "A11":
      return { ...draft, type: "VisitCancelled", fields: { ...fields, cancels: "START" } };
    case "A27":
    case "A38":
      return { ...draft, type: "VisitCancelled", fields: { ...fields, cancels: "PRE_ADMISSION" } };
    case "A23":
      return { ...draft, type: "VisitCancelled", fields: { ...fields, cancels: "VISIT" } };
    case "A12":
      return { ...draft, type: "TransferCancelled", fields };
    case "A13":
      return { ...draft, type: "EndCancelled", fields };
    default:
      // Leaves, tracking, pending moves: they may correct the class, and where the patient is planned to be is not where he is.
      return { ...draft, type: "VisitUpdated", fields: { ...fields, referenceOnly: false, class: visitClass } };
  }
}
