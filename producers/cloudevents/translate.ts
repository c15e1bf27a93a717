import type { EventDraft } from "../../engine/intake/connector.js";
import type { Data } from "./read-form.js";
import type { Meaning, Sender } from "./telling.js";
import { translateClaim } from "./translate-claim.js";
import { translatePatient } from "./translate-patient.js";
import { translateVisit } from "./translate-visit.js";
import { instantOf, ValueProblem } from "./values.js";

/**
 * Translates an event whose data follows its form: ids are made here, from identifiers, and only for what the partner
 * speaks for. Pure.
 * @returns the code and the place of the first field that can't be.
 */
export function translateEvent(
  type: string,
  time: string,
  data: Data,
  sender: Sender,
): Meaning | { readonly code: string; readonly place: string } {
  try {
    const [, entity = "", name = ""] = type.split(".");
    const told = { type: name as EventDraft["type"], time: instantOf(time, "time"), data };
    if (entity === "patient") return translatePatient(told, sender);
    if (entity === "visit") return translateVisit(told, sender);
    return translateClaim(told, sender);
  } catch (error) {
    if (error instanceof ValueProblem) return { code: error.code, place: error.place };
    throw error;
  }
}
