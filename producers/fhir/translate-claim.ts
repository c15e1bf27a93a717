import type { EventDraft } from "../../engine/intake/connector.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { currencyOf } from "./currency.js";
import { dayOf } from "./datetime.js";
import { child, children, codeOf, codings, type Element, number, text } from "./element.js";
import { npiOf, organizationOf, targetOf } from "./reference.js";
import {
  centsOf,
  contentHash,
  hasFraction,
  type Meaning,
  namingOf,
  namingOfReference,
  type Speaker,
  serverOf,
  statedTime,
  versionTime,
} from "./speaker.js";
import { containedPatient } from "./translate-patient.js";

type ClaimFields = EventInputs["ClaimSubmitted"];
type ServiceLine = NonNullable<ClaimFields["lines"]>[number];
type Diagnosis = NonNullable<ClaimFields["diagnoses"]>[number];

/** Kinds by HL7's claim types. */
const kinds: Readonly<Record<string, ClaimFields["kind"]>> = {
  professional: "PROFESSIONAL",
  vision: "PROFESSIONAL",
  institutional: "INSTITUTIONAL",
  oral: "DENTAL",
  pharmacy: "PHARMACY",
};

/** Qualifiers of X12 for systems of procedure codes, so that claims of both formats are counted alike. */
const procedureSystems: Readonly<Record<string, string>> = {
  "http://www.ama-assn.org/go/cpt": "HC",
  "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": "HC",
  "http://terminology.hl7.org/CodeSystem/HCPCS": "HC",
  "http://hl7.org/fhir/sid/ndc": "N4",
  "http://www.ada.org/cdt": "AD",
  "http://snomed.info/sct": "SCT",
  "http://www.nlm.nih.gov/research/umls/rxnorm": "RXN",
};

/** Qualifiers of X12 for systems of diagnosis codes: the first, and every other. */
const diagnosisSystems: Readonly<Record<string, readonly [first: string, other: string]>> = {
  "http://hl7.org/fhir/sid/icd-10-cm": ["ABK", "ABF"],
  "http://hl7.org/fhir/sid/icd-10": ["ABK", "ABF"],
  "http://hl7.org/fhir/sid/icd-9-cm": ["BK", "BF"],
  "http://snomed.info/sct": ["SCT", "SCT"],
};

/** The code of a product or service, with the qualifier of its system. */
export function procedureOf(item: Element): Pick<ServiceLine, "procedureQualifier" | "procedureCode"> {
  const coding = codings(child(item, "productOrService")).find(({ code }) => typeof code === "string");
  const qualifier = procedureSystems[text(coding, "system") ?? ""] ?? null;
  return { procedureQualifier: qualifier, procedureCode: text(coding, "code") ?? null };
}

/** Days of service of an item. */
export function servedOn(item: Element): { readonly first: string | null; readonly last: string | null } {
  const period = child(item, "servicedPeriod");
  const first = dayOf(text(item, "servicedDate") ?? text(period, "start")) ?? null;
  const last = dayOf(text(period, "end")) ?? null;
  return { first, last: last === first ? null : last };
}

function lineOf(item: Element, index: number): ServiceLine {
  const units = number(child(item, "quantity"), "value");
  const price = centsOf(child(item, "unitPrice"));
  const { first, last } = servedOn(item);
  return {
    lineNumber: number(item, "sequence") ?? index + 1,
    ...procedureOf(item),
    modifiers: children(item, "modifier").flatMap((modifier) => codeOf(modifier) ?? []),
    revenueCode: codeOf(child(item, "revenue")) ?? null,
    chargeAmount: centsOf(child(item, "net")) ?? (price === undefined ? 0 : Math.round(price * (units ?? 1))),
    units: units === undefined ? null : String(units),
    serviceDate: first,
    serviceDateEnd: last,
  };
}

function diagnosesOf(resource: Element): readonly Diagnosis[] {
  const found: Diagnosis[] = [];
  for (const diagnosis of children(resource, "diagnosis")) {
    for (const coding of codings(child(diagnosis, "diagnosisCodeableConcept"))) {
      const [first, other] = diagnosisSystems[text(coding, "system") ?? ""] ?? ["ZZ", "ZZ"];
      const code = text(coding, "code");
      if (code !== undefined)
        found.push({ qualifier: found.length === 0 ? first : other, code: code.replace(".", "") });
    }
  }
  return found;
}

/** The payer's id: the profile's word for how the sender names it. */
export function payerOf(reference: Element | undefined, speaker: Speaker): string {
  const name = organizationOf(reference, speaker);
  return speaker.profile.payers[name] ?? name;
}

/** Keyed hash of a number that the payer gave a claim, in the scope of the sender's server. */
export function payerNumberHash(value: string | undefined, speaker: Speaker): string | null {
  return value === undefined ? null : speaker.surrogate("payer-control", serverOf(speaker), "", value);
}

/** The visit that an item names first. */
function visitOf(resource: Element, speaker: Speaker): string | null {
  for (const item of children(resource, "item")) {
    const visit = namingOfReference("Encounter", children(item, "encounter")[0], speaker);
    if (visit) return visit.id;
  }
  return null;
}

/** Number that the payer gave the claim which this one replaces. */
function replacedNumber(resource: Element): string | undefined {
  const prior = children(resource, "related").find((related) => codeOf(child(related, "relationship")) === "prior");
  return text(child(prior, "reference"), "value");
}

/** Whether a prior claim is named only by its resource: without the payer's number nobody can say that it is replaced. */
const namesPriorOnly = (resource: Element): boolean =>
  replacedNumber(resource) === undefined &&
  children(resource, "related").some((related) => codeOf(child(related, "relationship")) === "prior");

/** What people the claim names within itself. */
export function detailsOf(resource: Element, speaker: Speaker) {
  const patient = targetOf(child(resource, "patient"), speaker);
  const person = containedPatient(patient.kind === "contained" ? patient.resource : undefined);
  const insurance = children(resource, "insurance");
  const focal = insurance.find(({ focal }) => focal === true) ?? insurance[0];
  const coverage = targetOf(child(focal, "coverage"), speaker);
  const memberId = coverage.kind === "contained" ? text(coverage.resource, "subscriberId") : undefined;
  return { memberId: memberId ?? null, patientName: person.name, birthDate: person.birthDate };
}

/**
 * A Claim. Drafts and what asks for authorization or an estimate make no event. What is cancelled or entered in error
 * is voided.
 */
export function translateClaim(resource: Element, speaker: Speaker): Meaning {
  const own = namingOf("Claim", resource, speaker);
  const patient = namingOfReference("Patient", child(resource, "patient"), speaker);
  const status = text(resource, "status");
  const owners = patient ? [patient.id] : own ? [own.id] : [];
  const nothing = (flag: string): Meaning => ({ events: [], sealFor: owners, flags: [flag] });
  if (!own) return nothing("CLAIM_UNIDENTIFIED");
  if (text(resource, "use") !== "claim") return nothing("NOT_A_CLAIM_FOR_PAYMENT");
  if (status === "draft") return nothing("DRAFT");

  const lines = children(resource, "item").map(lineOf);
  const stated = centsOf(child(resource, "total"));
  const summed = lines.reduce((sum, { chargeAmount }) => sum + chargeAmount, 0);
  const flags: string[] = [];
  const priced = children(resource, "item").some((item) => item.net !== undefined || item.unitPrice !== undefined);
  if (stated !== undefined && priced && summed !== stated) flags.push("CHARGE_DIFFERS_FROM_LINES");
  if (stated === undefined) flags.push("TOTAL_MISSING");
  if (hasFraction(child(resource, "total"))) flags.push("AMOUNT_ROUNDED");
  if (!patient) flags.push("PATIENT_UNIDENTIFIED");
  if (namesPriorOnly(resource)) flags.push("PRIOR_CLAIM_NOT_FOLLOWED");

  const voids = status === "cancelled" || status === "entered-in-error";
  const replaces = voids ? own.value : replacedNumber(resource);
  const facts: Omit<ClaimFields, "contentHash" | "currency" | "flags"> = {
    patientId: patient?.id ?? null,
    visitId: visitOf(resource, speaker),
    payerId: payerOf(child(resource, "insurer"), speaker),
    providerNpi: npiOf(child(resource, "provider"), speaker),
    kind: kinds[codeOf(child(resource, "type")) ?? ""] ?? "UNKNOWN",
    frequencyCode: voids ? "8" : replaces === undefined ? "1" : "7",
    // What is billed is what the sender says is billed: without a total it is nothing, flagged.
    billedAmount: stated ?? 0,
    facilityCode: placeOf(resource),
    diagnoses: diagnosesOf(resource),
    lines,
    payerControlNumberHash: payerNumberHash(replaces, speaker),
  };
  const currency = currencyOf(resource, child(resource, "total"), flags);
  const event: EventDraft = {
    type: voids ? "ClaimVoided" : replaces === undefined ? "ClaimSubmitted" : "ClaimReplaced",
    subject: own.id,
    ...claimTime(resource, speaker),
    fields: { ...facts, contentHash: contentHash(facts), currency, flags },
    sealed: {
      patientControlNumber: own.value,
      payerControlNumber: voids ? null : (replaces ?? null),
      ...detailsOf(resource, speaker),
    },
    sealFor: owners[0]!,
  };
  return { events: [event], sealFor: owners, flags };
}

/** Where it was served (place of service), as the first item says. */
function placeOf(resource: Element): string | null {
  for (const item of children(resource, "item")) {
    const code = codeOf(child(item, "locationCodeableConcept"));
    if (code !== undefined) return code;
  }
  return null;
}

/** When a version of a claim was made: by its server's clock, else the day it says it was created. */
export function claimTime(resource: Element, speaker: Speaker): Pick<EventDraft, "time" | "timePrecision"> {
  if (text(child(resource, "meta"), "lastUpdated") !== undefined) return versionTime(resource, speaker);
  return statedTime(text(resource, "created"), speaker) ?? versionTime(resource, speaker);
}
