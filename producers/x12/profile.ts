import { z } from "zod";
import { isZone } from "../../engine/intake/zone.js";
import { authenticationField } from "../../engine/reception/authentication.js";

/** What is particular about one sender of X12. Everything left out is the standard's default. */
export const profileSchema = z.strictObject({
  description: z.string().optional().describe("Who this is, for people."),
  authentication: authenticationField,
  senders: z
    .array(z.string().min(1).max(15))
    .default([])
    .describe("ISA06 values, without padding, that belong to this partner. Empty: any (only `generic`)."),
  receivers: z.array(z.string().min(1).max(15)).default([]).describe("ISA08 values it may address. Empty: any."),
  usage: z
    .array(z.enum(["P", "T"]))
    .min(1)
    .default(["P", "T"])
    .describe('ISA15 values that are taken: production, test. `["P"]` keeps a sender\'s tests from becoming facts.'),
  timeZone: z
    .string()
    .refine(isZone, "a time zone of the IANA data base")
    .default("UTC")
    .describe("Zone of its dates and times."),
  characters: z
    .enum(["ascii", "latin-1", "utf-8"])
    .default("ascii")
    .describe("Character set agreed. `ascii` rejects any other byte with IK4 code 6."),
  payers: z
    .record(z.string(), z.string())
    .default({})
    .describe("Names a payer goes by in its messages (NM109, N104, REF*2U, TRN03) -> the payer's one id."),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "a currency of ISO 4217")
    .optional()
    .describe("Currency of amounts that name none (CUR). Left out: US dollars, as the guides say."),
  acknowledgeInterchange: z
    .enum(["requested", "always"])
    .default("requested")
    .describe("Whether an accepted interchange gets a TA1 only when ISA14 asks for it."),
});

export type Profile = z.output<typeof profileSchema>;

/** The partner's text, read from the Latin-1 form that the tokenizer gives, in the character set agreed. */
export function decodeText(profile: Profile, text: string): string {
  return profile.characters === "utf-8" ? Buffer.from(text, "latin1").toString("utf8") : text;
}
