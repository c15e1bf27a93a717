import { z } from "zod";
import { authenticationField } from "../../engine/reception/authentication.js";

const names = (description: string) =>
  z.array(z.string().min(1).max(200)).default([]).describe(`${description} \`*\`: any; for development and tests.`);

/** What one partner may send. Everything left out has the default that docs/connectors/cloudevents.md names. */
export const profileSchema = z.strictObject({
  description: z.string().default("").describe("For the reader only."),
  authentication: authenticationField,
  facility: z
    .string()
    .min(1)
    .max(64)
    .default("MAIN")
    .describe("Facility of its events, within which their order means something."),
  sources: names("Values of the attribute `source` that are its own."),
  authorities: names(
    "Assigners of patient and visit numbers that it speaks for: it tells facts about no other patients and visits.",
  ),
  providers: names("Billing providers (NPI, else tax id) whose claims it submits."),
  payers: names("Payers whose payments it tells."),
  strongTypes: z
    .array(z.string().min(1).max(20))
    .default(["NI", "NN", "NH", "SS"])
    .describe("Types of identifiers (HL7 table 0203) that link records of one person."),
  schemas: z
    .record(z.string().min(1).max(1_000), z.string().regex(/^[0-9a-f]{64}$/, "the fingerprint of a schema"))
    .default({})
    .describe(
      "Its own values of `dataschema`, as in its schema registry -> the fingerprint of the schema that they stand for; and types -> the fingerprint of the schema that its Avro data of the type is written with where no `dataschema` is said.",
    ),
  batchLimit: z.number().int().min(1).max(100_000).default(1_000).describe("Most events of a batch."),
});

export type Profile = z.output<typeof profileSchema>;

/** Whether a profile's list holds a name. */
export const speaksFor = (list: readonly string[], name: string): boolean => list.includes(name) || list.includes("*");
