import { contentHash } from "../../engine/intake/content-hash.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import type { Reading } from "./reading.js";
import type { Sender, Translation } from "./translation.js";

type Facts = EventInputs["ClaimAdjudicated"];
/** Facts before their hash is known; what is undefined is no part of it. */
type Unhashed = Omit<Facts, "contentHash" | "currency" | "flags"> & {
  contentHash: string | undefined;
  currency: string | null | undefined;
  flags: readonly string[] | undefined;
};

/** CLP02 of a payment taken back. */
const reversal = "22";

/**
 * A row about a payment of a claim: ClaimAdjudicated, or ClaimPaymentReversed where its status is 22.
 *
 * Claim, remittance and patient get the ids that the 837 and 835 of the same payer and provider give them, so this tells
 * the same payment through another channel.
 */
export function translatePayment(reading: Reading, { surrogate, profile }: Sender): Translation | null {
  const [claim, payer] = [reading.identifier("claim"), reading.identifier("payer")];
  const [provider, trace] = [reading.identifier("provider"), reading.identifier("trace")];
  const [status, member] = [reading.text("status"), reading.identifier("member")];
  const paidOn = reading.moment("paidOn");
  const payerClaim = reading.identifier("payerClaim");
  const chargeAmount = reading.cents("charge") ?? 0;
  const paidAmount = reading.cents("paid") ?? 0;
  const patientAmount = reading.cents("patientShare") ?? 0;
  const allowedAmount = reading.cents("allowed");
  const patientName = reading.text("patientName") || null;
  if (claim === "" || trace === "" || !paidOn) return null;
  const day = Date.UTC(Number(paidOn.day.slice(0, 4)), Number(paidOn.day.slice(5, 7)) - 1, Number(paidOn.day.slice(8)));
  const claimId = surrogate("claim", provider, "", claim);
  const patientId = member === "" ? null : surrogate("patient", payer, "MI", member);
  const owner = patientId ?? claimId;
  const balanced = isPlausible(chargeAmount, paidAmount, patientAmount);
  const flags = flagsOf(balanced, patientId !== null);
  const remittanceId = surrogate("remittance", payer, "", trace);
  const payerControlNumberHash = payerClaim === "" ? null : surrogate("payer-control", provider, "", payerClaim);
  const factsOf = (occurrence: number): Unhashed => ({
    patientId,
    remittanceId,
    payerId: payer,
    providerNpi: /^\d{10}$/.test(provider) ? provider : null,
    traceNumber: trace,
    statusCode: status,
    chargeAmount,
    paidAmount,
    patientAmount,
    allowedAmount,
    balanced,
    payerControlNumberHash,
    paidAt: day,
    occurrence,
    contentHash: undefined,
    currency: undefined,
    flags: undefined,
  });
  return {
    names: [payer, provider, trace, claim],
    ids: [claimId, remittanceId],
    number: claim,
    flags,
    sealFor: [owner],
    events: (occurrence) => [
      {
        type: status === reversal ? "ClaimPaymentReversed" : "ClaimAdjudicated",
        subject: claimId,
        time: day,
        timePrecision: "DAY",
        fields: hashed(factsOf(occurrence), profile.amounts.currencyCode ?? null, flags),
        sealed: {
          patientControlNumber: claim,
          payerControlNumber: payerClaim || null,
          memberId: member || null,
          patientName,
          subscriberName: null,
          birthDate: null,
        },
        sealFor: owner,
      },
    ],
  };
}

/** Said of most payments. */
const untold: readonly string[] = ["ADJUSTMENTS_UNTOLD"];

function flagsOf(balanced: boolean, identified: boolean): readonly string[] {
  if (balanced && identified) return untold;
  return [...untold, ...(balanced ? [] : ["PAYMENT_UNBALANCED"]), ...(identified ? [] : ["PATIENT_UNIDENTIFIED"])];
}

/** Without its adjustments a payment can only be seen not to add up when more is paid and owed than was charged. */
function isPlausible(charge: number, paid: number, patient: number): boolean {
  const sign = charge < 0 ? -1 : 1;
  return sign * (paid + patient) <= sign * charge;
}

/** Gives facts their hash, in place: a copy of so many fields costs more than hashing them. */
function hashed(facts: Unhashed, currency: string | null, flags: readonly string[]): Facts {
  facts.contentHash = contentHash(facts);
  facts.currency = currency;
  facts.flags = flags;
  return facts as Facts;
}
