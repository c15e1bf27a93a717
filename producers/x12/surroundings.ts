import type { EventDraft, Surrogate } from "../../engine/intake/connector.js";
import type { GroupHeader, InterchangeHeader, SetHeader } from "./envelope.js";
import type { Profile } from "./profile.js";
import type { RefusedProviders } from "./refused-providers.js";
import type { RemittanceTotals } from "./remittance-totals.js";

/** What a translation may look at besides the slice: the envelopes around it, the partner's profile, the surrogate ids. */
export interface Surroundings {
  readonly interchange: InterchangeHeader;
  readonly group: GroupHeader;
  readonly set: SetHeader;
  readonly format: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  /** Totals of an 835, from the first pass. */
  readonly totals: RemittanceTotals | null;
  /** Providers that a 277CA turns away, from the first pass. */
  readonly refused: RefusedProviders | null;
}

/** What a unit says. */
export interface Translation {
  readonly events: readonly EventDraft[];
  /** Warnings about the unit, upper case. */
  readonly flags: readonly string[];
  /** Whose keys seal the unit's bytes. */
  readonly sealFor: readonly string[];
  /** The sender's own number of the unit: CLM01, CLP01, TRN02; empty when it has none. */
  readonly number: string;
}

export const nothing: Translation = { events: [], flags: [], sealFor: [], number: "" };

/** The payer's one id, whichever of its names the message used. */
export function payerId(profile: Profile, ...names: readonly (string | undefined)[]): string {
  const name = names.find((one) => one !== undefined && one !== "") ?? "";
  return profile.payers[name] ?? name;
}

/**
 * Hash of the payer's number of a claim (REF*F8, CLP07).
 *
 * Its scope is the provider, not the payer: an 837 and the 835 that answers it name the payer in different ways (a payer
 * id here, a tax number there), the billing provider in one. A payer's numbers are unique to it, and a provider that two
 * payers give the same number for different claims is not seen in practice.
 */
export function payerControlNumberHash(surrogate: Surrogate, provider: string, number: string): string | null {
  return number === "" ? null : surrogate("payer-control", provider, "", number);
}
