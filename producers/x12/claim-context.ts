import { readCurrency } from "../../engine/intake/currency.js";
import { type Person, personOf, withBirthDate } from "./people.js";
import type { Profile } from "./profile.js";
import type { Segment } from "./tokenizer.js";

/** What an 837 has said before a claim: submission, billing provider, subscriber, patient, payer. */
export interface ClaimContext {
  readonly date: string;
  readonly time: string;
  /** BHT03: the submitter's number of the batch. */
  readonly reference: string;
  readonly provider: Provider;
  /** CUR02 of the billing provider. */
  readonly currency: string;
  readonly subscriber: Person | null;
  readonly dependent: Person | null;
  /** NM109 of the payer, else its name. */
  readonly payer: string;
  /** The NM1 loop that REF and DMG now belong to (NM101), empty outside. */
  readonly loop: string;
}

export interface Provider {
  /** NM109 where NM108 is XX. */
  readonly npi: string | null;
  /** REF*EI or REF*SY, else NM109 of another qualifier. */
  readonly taxId: string;
}

const noProvider: Provider = { npi: null, taxId: "" };

export const emptyClaimContext: ClaimContext = {
  date: "",
  time: "",
  reference: "",
  provider: noProvider,
  currency: "",
  subscriber: null,
  dependent: null,
  payer: "",
  loop: "",
};

/** What names the billing provider: its NPI, else its tax id; there is no second guess. */
export function providerId(provider: Provider): string {
  return provider.npi ?? provider.taxId;
}

/** The context after one more segment that stands before a claim. */
export function readContext(context: ClaimContext, segment: Segment, profile: Profile): ClaimContext {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  switch (segment.id) {
    case "ST":
      return emptyClaimContext;
    case "BHT":
      return { ...context, reference: at(3), date: at(4), time: at(5) };
    case "HL":
      if (at(3) === "20") {
        const { reference, date, time } = context;
        return { ...emptyClaimContext, reference, date, time };
      }
      if (at(3) === "22") return { ...context, subscriber: null, dependent: null, payer: "", loop: "" };
      return { ...context, dependent: null, loop: "" };
    case "CUR":
      return { ...context, currency: readCurrency(at(2)) };
    case "NM1":
      return named({ ...context, loop: at(1) }, segment, at, profile);
    case "REF":
      if (context.loop === "85" && (at(1) === "EI" || at(1) === "SY")) {
        return { ...context, provider: { ...context.provider, taxId: at(2) } };
      }
      return context;
    case "DMG":
      if (context.loop === "IL" && context.subscriber) {
        return { ...context, subscriber: withBirthDate(context.subscriber, segment) };
      }
      if (context.loop === "QC" && context.dependent) {
        return { ...context, dependent: withBirthDate(context.dependent, segment) };
      }
      return context;
    default:
      return context;
  }
}

function named(context: ClaimContext, segment: Segment, at: (index: number) => string, profile: Profile): ClaimContext {
  switch (context.loop) {
    case "85":
      return {
        ...context,
        provider: at(8) === "XX" && at(9) !== "" ? { npi: at(9), taxId: "" } : { npi: null, taxId: at(9) },
      };
    case "IL":
      return { ...context, subscriber: personOf(segment, profile) };
    case "QC":
      return { ...context, dependent: personOf(segment, profile) };
    case "PR":
      return { ...context, payer: at(9) || at(3) };
    default:
      return context;
  }
}
