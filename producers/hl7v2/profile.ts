import { z } from "zod";
import { isZone } from "../../engine/intake/zone.js";
import { authenticationField } from "../../engine/reception/authentication.js";
import { ackConditions } from "./acknowledgments.js";
import { isCharset } from "./charset.js";
import { negotiableReasons } from "./reasons.js";

const identifierChoice = z.strictObject({
  authority: z.string().min(1).optional().describe("Assigning authority; any when left out."),
  type: z.string().min(1).optional().describe("Identifier type (HL7 table 0203); any when left out."),
});

const certificateName = z
  .string()
  .min(1)
  // What looks like a fingerprint and is none would be a common name that nobody has.
  .refine(
    (name) => !/^[0-9A-F]{2}(:[0-9A-F]{2})+$/i.test(name) || /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/i.test(name),
    "a SHA-256 fingerprint has 32 pairs, `AA:BB:…`",
  );

/** What is particular about one sender of HL7 v2: `partners/<partner>.json`. Every field has the standard's default. */
export const profileSchema = z.strictObject({
  description: z.string().default("").describe("For the reader only."),
  match: z
    .array(
      z
        .strictObject({
          application: z.string().optional().describe("MSH-3.1; any when left out."),
          facility: z.string().optional().describe("MSH-4.1; any when left out."),
        })
        .refine(
          ({ application, facility }) => Boolean(application || facility),
          "takes any sender: name application or facility",
        ),
    )
    .default([])
    .describe(
      "Who is this partner, by the message header. The most exact match wins: both names, else the facility, else the application.",
    ),
  port: z
    .number()
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe("A port of its own: what comes in there is from this partner, whatever the header says."),
  certificate: z
    .union([certificateName, z.array(certificateName).min(1)])
    .optional()
    .describe(
      "Its client certificates over MLLP: common name, or SHA-256 fingerprint (`AA:BB:…`); several while they change. Such a connection is this partner, and this partner comes in by no other.",
    ),
  authentication: authenticationField,
  identifiers: z
    .strictObject({
      order: z
        .array(identifierChoice)
        .default([{ type: "MR" }, { type: "PI" }])
        .describe("Which repetition of PID-3 is the facility's own: the first choice that is there, else the first."),
      strong: z
        .array(
          identifierChoice.extend({
            foreign: z.boolean().default(false).describe("Only where the authority is not the sender's own."),
          }),
        )
        .default([
          { type: "NI", foreign: false },
          { type: "NN", foreign: false },
          { type: "NH", foreign: false },
          { type: "SS", foreign: false },
          { type: "PI", foreign: true },
        ])
        .describe("Identifiers that link records of one person."),
      priorNumbers: z
        .enum(["alike", "own", "facility"])
        .default("alike")
        .describe(
          "What MRG-1 leaves out of an identifier (authority, type). `alike`: as in PID-3, where only one kind there fits. `own`: as the facility's own identifier in PID-3. `facility`: nothing, and the authority is the sending facility. MRG-5 without an authority has that of PV1-19, but for `facility`.",
        ),
      readPid2: z.boolean().default(false).describe("Read the older PID-2 where PID-3 is empty."),
    })
    .prefault({}),
  charset: z
    .string()
    .refine(isCharset, "a character set of HL7 table 0211, or `detect`")
    .default("detect")
    .describe("Character set where MSH-18 is empty. `detect`: UTF-8 if it is, else ISO 8859-1, flagged."),
  timezone: z
    .string()
    .refine(isZone, "an IANA time zone")
    .default("UTC")
    .describe("Time zone of times without an offset."),
  processingIds: z
    .array(z.enum(["P", "D", "T", "N"]))
    .min(1)
    .default(["P", "D", "T"])
    .describe("Accepted values of MSH-11 (HL7 table 0103)."),
  fieldLimit: z.number().int().min(1).default(65_536).describe("Most characters of a field."),
  messageLimit: z.number().int().min(1).max(1_000_000_000).default(10_000_000).describe("Most bytes of a message."),
  ackPolicy: z
    .strictObject({
      mode: z
        .enum(["original", "header", "enhanced"])
        .default("original")
        .describe(
          "`original`: one AA, AE or AR a message, whatever MSH-15 and MSH-16 say. `header`: as they say, original where both are empty. `enhanced`: as they say, else as `accept` and `application` do.",
        ),
      accept: z
        .enum(ackConditions)
        .default("AL")
        .describe("In `enhanced` mode, where MSH-15 is empty: when CA, CE or CR is sent."),
      application: z
        .enum(ackConditions)
        .default("NE")
        .describe("In `enhanced` mode, where MSH-16 is empty: when AA, AE or AR is sent."),
      answers: z
        .partialRecord(z.enum(negotiableReasons), z.enum(["AA", "AE", "AR"]))
        .default({})
        .describe("Other answers by reason. AA accepts the message with the reason as a flag."),
    })
    .prefault({}),
  charges: z
    .strictObject({
      claim: z
        .string()
        .regex(/^[A-Z][A-Z0-9]{2}-\d{1,2}$/, "a segment and a field, as `PID-18`")
        .describe("Field whose first component is the number that the claim goes by (CLM01), as `PID-18` or `PV1-19`."),
      provider: z
        .string()
        .regex(/^\d{9,10}$/, "an NPI or a tax id")
        .describe("Who bills: its NPI, else its tax id."),
      currency: z
        .string()
        .regex(/^[A-Z]{3}$/, "a currency of ISO 4217")
        .default("USD")
        .describe("Usual currency: charges in another one (FT1-11, FT1-12, FT1-22) are flagged."),
      kind: z.enum(["PROFESSIONAL", "INSTITUTIONAL", "DENTAL"]).default("PROFESSIONAL").describe("Kind of its claims."),
    })
    .optional()
    .describe(
      "Where each DFT^P03, DFT^P11, BAR^P01 or BAR^P05 with FT1 has all charges of its account: they are a claim. Left out: charges are kept.",
    ),
  zSegments: z
    .record(z.string().regex(/^Z[A-Z0-9]{2}$/), z.record(z.string().regex(/^\d+$/), z.string()))
    .default({})
    .describe("What the fields of the sender's own segments mean: segment, field number, meaning."),
});

export type Profile = z.output<typeof profileSchema>;

/** A partner's certificates as they are compared: fingerprints in capitals, common names as they are. */
export const certificatesOf = (certificate: Profile["certificate"]): readonly string[] =>
  [certificate ?? []].flat().map((name) => (/^([0-9A-F]{2}:){31}/i.test(name) ? name.toUpperCase() : name));
