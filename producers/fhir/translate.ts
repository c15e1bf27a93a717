import { child, type Element, typeOf } from "./element.js";
import { type Meaning, namingOfReference, type Speaker } from "./speaker.js";
import { translateClaim } from "./translate-claim.js";
import { translateEncounter } from "./translate-encounter.js";
import { translateCoverage, translatePatient } from "./translate-patient.js";
import { translateDecision, translateReconciliation } from "./translate-payment.js";

/** How each type of resource is translated. Every other type is kept and makes no event. */
const translations: Readonly<Record<string, (resource: Element, speaker: Speaker, stored: boolean) => Meaning>> = {
  Patient: translatePatient,
  Encounter: translateEncounter,
  Claim: translateClaim,
  ClaimResponse: translateDecision,
  ExplanationOfBenefit: translateDecision,
  Coverage: translateCoverage,
  PaymentReconciliation: translateReconciliation,
};

/** Types of resources that make events. */
export const translatedTypes: readonly string[] = Object.keys(translations);

/**
 * What a valid resource means. Pure: the same resource, sender and time give the same events.
 * @param stored whether the sender names the place it is stored at (PUT), rather than sending it first (POST).
 */
export function translate(resource: Element, speaker: Speaker, stored: boolean): Meaning {
  const translation = translations[typeOf(resource)];
  if (translation) return translation(resource, speaker, stored);
  // Whoever it is about, its bytes are theirs.
  const patient =
    namingOfReference("Patient", child(resource, "subject"), speaker) ??
    namingOfReference("Patient", child(resource, "patient"), speaker);
  // In a line, or put to a place, a bundle is a document to be kept: nobody asks for its entries to be taken.
  const flags = typeOf(resource) === "Bundle" ? ["BUNDLE_NOT_OPENED"] : [];
  return { events: [], sealFor: patient ? [patient.id] : [], flags };
}
