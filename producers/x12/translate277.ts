import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { instantOf } from "./clock.js";
import { cents } from "./element.js";
import type { HierarchyContext } from "./hierarchy-context.js";
import { type Person, personOf, subscriberId } from "./people.js";
import { decodeText } from "./profile.js";
import { type StatusCode, statusesOf, verdictOf } from "./status-codes.js";
import { payerControlNumberHash, payerId, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";
import { acknowledged, answered } from "./translate-acknowledgment.js";
import { noNumber } from "./translate-payment.js";
import { batchId, batchPartId } from "./transmission.js";

/** What a 277 says of one claim, while it is read. */
interface ClaimAnswer {
  readonly trace: string;
  account: string;
  payerNumber: string;
  charge: number | null;
  paid: number | null;
  lines: number;
  readonly statuses: StatusCode[];
}

/** Whether a 277 acknowledges claims (277CA, 005010X214) rather than answers an inquiry (276). */
export const isClaimAcknowledgment = ({ format }: Surroundings): boolean => format === "277CA";

/**
 * Translates the head of a 277CA: what became of the batch as a whole, whose BHT03 stands in TRN02 of the receiver's
 * level, and of which providers all claims in it were turned away, wherever in the set that is said. A refusal of a batch
 * that nothing names is flagged. Other sets have no fact there. Pure.
 */
export function translateStatusHead(
  segments: readonly Segment[],
  context: HierarchyContext,
  surroundings: Surroundings,
): Translation {
  const none: Translation = { events: [], flags: [], sealFor: [], number: "" };
  if (!isClaimAcknowledgment(surroundings)) return none;
  let level = "";
  const statuses: StatusCode[] = [];
  for (const segment of segments) {
    if (segment.id === "HL") level = segment.elements[3] ?? "";
    else if (level === "21" && segment.id === "STC") statuses.push(...statusesOf(segment, null));
  }
  const refused = surroundings.refused?.providers ?? new Map<string, Set<string>>();
  const verdict = verdictOf(statuses);
  const { batch } = context;
  if (batch === "")
    return verdict === "REJECTED" || refused.size > 0 ? { ...none, flags: ["BATCH_UNIDENTIFIED"] } : none;
  const exchange = answered(surroundings.interchange);
  const { time, precision } = toldAt(context, surroundings);
  const common = { form: "277CA", ...exchange, control: batch, functionalId: null };
  const whole = { ...common, verdict, codes: statuses.map(({ category }) => category) };
  const events = [acknowledged(batchId(surroundings, exchange, batch), whole, time, precision)];
  for (const [provider, codes] of refused) {
    const part = { ...common, verdict: "REJECTED" as const, codes: [...codes] };
    events.push(acknowledged(batchPartId(surroundings, exchange, batch, provider), part, time, precision));
  }
  return { ...none, events, flags: surroundings.refused?.isCut ? ["REFUSALS_CUT_OFF"] : [] };
}

function toldAt(context: HierarchyContext, { profile }: Surroundings) {
  return instantOf(context.date, context.time, profile.timeZone) ?? { time: 0, precision: "DAY" as const };
}

/**
 * Translates one person of a 277: ClaimAcknowledged (277CA) or ClaimStatusReported (answer to a 276) for each claim
 * traced. The claim is named by the provider and CLM01: TRN02 of a 277CA, REF*EJ of an answer to an inquiry, whose TRN02
 * is the inquirer's. A claim that is named by neither makes no event and the flag CLAIM_UNIDENTIFIED. Pure.
 */
export function translateStatus(
  segments: readonly Segment[],
  context: HierarchyContext,
  surroundings: Surroundings,
): Translation {
  const { surrogate, profile, interchange } = surroundings;
  const payer = payerId(profile, context.source, interchange.sender);
  const { people, claims } = read(segments, surroundings);
  const patient = people.at(-1) ?? null;
  const patientId = subscriberId(surrogate, payer, patient);
  const flags = new Set<string>();
  const events: EventDraft[] = [];
  const sealFor = new Set<string>(patientId ? [patientId] : []);
  for (const claim of claims) {
    const number = isClaimAcknowledgment(surroundings) ? claim.trace : claim.account;
    if (number === "" || noNumber.test(number) || context.provider === "") {
      flags.add("CLAIM_UNIDENTIFIED");
      continue;
    }
    const claimId = surrogate("claim", context.provider, "", number);
    const owner = patientId ?? claimId;
    if (patientId === null) flags.add("PATIENT_UNIDENTIFIED");
    sealFor.add(owner);
    const { time, precision } = toldAt(context, surroundings);
    const told = factsOf(claim, context, surroundings, payer, patientId);
    const draft = {
      subject: claimId,
      time,
      timePrecision: precision,
      sealed: {
        patientControlNumber: decodeText(profile, number),
        payerControlNumber: decodeText(profile, claim.payerNumber) || null,
        memberId: patient?.memberId || null,
        patientName: patient?.name ?? null,
        subscriberName: people[0]?.name ?? null,
        birthDate: null,
      },
      sealFor: owner,
    };
    events.push(
      told.type === "ClaimAcknowledged"
        ? { ...draft, type: told.type, fields: { ...told.fields, contentHash: contentHash(told.fields), flags: [] } }
        : { ...draft, type: told.type, fields: { ...told.fields, contentHash: contentHash(told.fields), flags: [] } },
    );
  }
  return { events, flags: [...flags], sealFor: [...sealFor], number: claims[0]?.trace ?? "" };
}

type Told =
  | { readonly type: "ClaimAcknowledged"; readonly fields: Omit<EventInputs["ClaimAcknowledged"], "contentHash"> }
  | { readonly type: "ClaimStatusReported"; readonly fields: Omit<EventInputs["ClaimStatusReported"], "contentHash"> };

function factsOf(
  claim: ClaimAnswer,
  context: HierarchyContext,
  surroundings: Surroundings,
  payer: string,
  patientId: string | null,
): Told {
  const common = {
    patientId,
    payerId: payer,
    providerNpi: context.providerNpi,
    statuses: claim.statuses,
    payerControlNumberHash: payerControlNumberHash(surroundings.surrogate, context.provider, claim.payerNumber),
  };
  if (!isClaimAcknowledgment(surroundings)) {
    return {
      type: "ClaimStatusReported",
      fields: { ...common, chargeAmount: claim.charge, paidAmount: claim.paid },
    };
  }
  const { batch } = context;
  return {
    type: "ClaimAcknowledged",
    fields: {
      ...common,
      verdict: verdictOf(claim.statuses),
      batchId: batch === "" ? null : batchId(surroundings, answered(surroundings.interchange), batch),
    },
  };
}

function read(segments: readonly Segment[], { profile }: Surroundings) {
  const people: Person[] = [];
  const claims: ClaimAnswer[] = [];
  for (const segment of segments) {
    const at = (index: number): string => (segment.elements[index] ?? "").trim();
    if (segment.id === "NM1" && ["IL", "QC"].includes(at(1))) people.push(personOf(segment, profile));
    else if (segment.id === "TRN") {
      claims.push({ trace: at(2), account: "", payerNumber: "", charge: null, paid: null, lines: 0, statuses: [] });
    } else if (claims.length > 0) readClaim(claims.at(-1)!, segment, at);
  }
  return { people, claims };
}

function readClaim(claim: ClaimAnswer, segment: Segment, at: (index: number) => string): void {
  switch (segment.id) {
    case "STC":
      if (claim.statuses.length === 0) {
        claim.charge = cents(at(4));
        claim.paid = cents(at(5));
      }
      claim.statuses.push(...statusesOf(segment, claim.lines === 0 ? null : claim.lines));
      return;
    case "SVC":
      claim.lines += 1;
      return;
    case "REF":
      if (claim.lines > 0) return;
      if (at(1) === "1K") claim.payerNumber = at(2);
      else if (at(1) === "EJ") claim.account = at(2);
  }
}
