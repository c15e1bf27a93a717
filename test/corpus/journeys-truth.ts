import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** A submission (`837`: BHT03, B and the date YYMMDD) or a payer's answer (`835`: TRN02, T and the date) of a claim. */
export interface ClaimStep {
  readonly "837"?: string;
  readonly "835"?: string;
  readonly frequency?: string;
  readonly icn_ref?: string;
  readonly status?: string;
  readonly charge: string;
  readonly paid?: string;
  readonly icn?: string;
  /** Category of the 277CA that answered a submission; a 999 that refused its set comes instead of one. */
  readonly "277CA"?: string;
}

export interface TrueClaim {
  readonly person: string;
  readonly final: "paid" | "denied" | "voided" | "rejected" | "accepted-unanswered";
  readonly net_paid: string;
  readonly last_charge: string;
  readonly history: readonly ClaimStep[];
}

/** What the generator of the sample journeys knows that happened. */
export interface JourneysTruth {
  readonly persons: Readonly<Record<string, { readonly ids: readonly string[] }>>;
  /** By `facility|visit number`. */
  readonly visits: Readonly<
    Record<
      string,
      { readonly person: string; readonly status: string; readonly class: string; readonly location: string }
    >
  >;
  /** By CLM01. */
  readonly claims: Readonly<Record<string, TrueClaim>>;
}

/** @param file `expected/journeys-truth.json.gz` of the samples. */
export const readTruth = (file: string): JourneysTruth =>
  JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as JourneysTruth;

/** Cents of an amount as the truth writes it, exactly. */
export function centsOf(amount: string): number {
  const [, sign = "", whole = "", part = ""] = /^(-?)(\d+)(?:\.(\d{1,2}))?$/.exec(amount) ?? [];
  const value = Number(whole) * 100 + Number(part.padEnd(2, "0"));
  return sign && value ? -value : value;
}

/** Day in the name of a submission or a remittance, epoch milliseconds. */
export const dayOf = (name: string): number =>
  Date.UTC(2000 + Number(name.slice(1, 3)), Number(name.slice(3, 5)) - 1, Number(name.slice(5, 7)));

/** How the read models call each final state. */
export function statusOf({ final, net_paid }: TrueClaim): string {
  if (final === "accepted-unanswered") return "acknowledged";
  // The generator calls a claim paid that was processed (CLP02 1) with a payment of nothing.
  return final === "paid" && centsOf(net_paid) === 0 ? "adjudicated" : final;
}
