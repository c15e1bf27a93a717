import { type Profile, profileSchema } from "../profile.js";

/** A profile with everything left out but what is given. */
export const profileOf = (given: object): Profile => profileSchema.parse(given);

/** Payments with columns by our own names. */
export const paymentProfile = (given: object = {}): Profile => profileOf({ rows: "payments", ...given });

export const paymentHeader = "claim,status,payer,provider,trace,paid_on,charge,paid,patient_share,member,patient_name";

/** A row of payments. */
export const payment = (claim: string, paid = "10.00", status = "1", trace = "T1"): string =>
  `${claim},${status},PLAN,1234567893,${trace},2026-01-05,25.00,${paid},0,M-77,"Okafor, Ada"`;

export const lines = (...rows: string[]): Buffer => Buffer.from(rows.map((row) => `${row}\r\n`).join(""));
