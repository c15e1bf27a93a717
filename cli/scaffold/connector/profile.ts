import { z } from "zod";
import { authenticationField } from "../../../engine/reception/authentication.js";

/** What is particular about one sender: `partners/<partner>.json`. Every field has a default. */
export const profileSchema = z.strictObject({
  description: z.string().default("").describe("For the reader only."),
  authentication: authenticationField,
  facility: z.string().min(1).max(64).default("MAIN").describe("Facility where a message names none."),
  authority: z.string().min(1).max(64).optional().describe("Who assigns its patient numbers; default: the facility."),
});

export type Profile = z.output<typeof profileSchema>;
