import { z } from "zod";
import { isZone } from "../../engine/intake/zone.js";
import { authenticationField } from "../../engine/reception/authentication.js";

const identifierChoice = z.strictObject({
  system: z.string().min(1).optional().describe("Its system; any when left out."),
  type: z.string().min(1).optional().describe("Its type (HL7 table 0203); any when left out."),
});

/** What an amount of an adjudication means. */
export const amountRoles = [
  "submitted",
  "eligible",
  "benefit",
  "deductible",
  "coinsurance",
  "copay",
  "noncovered",
] as const;
export type AmountRole = (typeof amountRoles)[number];

const bluebutton = "https://bluebutton.cms.gov/resources/variables";

/** HL7's codes, and those of Blue Button, which payers' open interfaces in the United States took over. */
const adjudication: Readonly<Record<string, AmountRole>> = {
  submitted: "submitted",
  eligible: "eligible",
  benefit: "benefit",
  deductible: "deductible",
  unallocdeduct: "deductible",
  coinsurance: "coinsurance",
  copay: "copay",
  noncovered: "noncovered",
  [`${bluebutton}/line_sbmtd_chrg_amt`]: "submitted",
  [`${bluebutton}/line_alowd_chrg_amt`]: "eligible",
  [`${bluebutton}/line_nch_pmt_amt`]: "benefit",
  [`${bluebutton}/line_bene_ptb_ddctbl_amt`]: "deductible",
  [`${bluebutton}/line_coinsrnc_amt`]: "coinsurance",
};

const credential = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
/** Over TLS, or on this machine. */
const isPrivate = (url: string) => /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(`${url}/`);

/** What is particular about one sender of FHIR: `partners/<partner>.json`. Every field has a default. */
export const profileSchema = z.strictObject({
  description: z.string().default("").describe("For the reader only."),
  authentication: authenticationField,
  server: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      "Who assigns the ids of its resources; default: the partner's name. Two senders behind one server share it.",
    ),
  bases: z
    .array(z.url({ protocol: /^https?$/ }))
    .default([])
    .describe(
      "Bases of its own server: an address under one of them names what `Type/id` does, and one under any other base something else. Empty: nobody says which are its own, and every base is taken for it.",
    ),
  servers: z
    .record(z.url({ protocol: /^https?$/ }), z.string().min(1).max(200))
    .default({})
    .describe(
      "Bases of other servers that it refers to -> who assigns the ids there, as `server` of the partner whose server it is.",
    ),
  facility: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Facility that its events name; default: the partner's name."),
  sources: z
    .array(z.string().min(1))
    .default([])
    .describe("`MessageHeader.source.endpoint` and `meta.source` that belong to it. Empty: any."),
  naming: z
    .strictObject({
      Patient: z
        .string()
        .min(1)
        .optional()
        .describe("System of the identifier that names a patient, instead of the resource's id."),
      PatientType: z
        .string()
        .min(1)
        .max(20)
        .optional()
        .describe("Type (HL7 table 0203) of that identifier where the sender leaves it out, as in references."),
      Encounter: z.string().min(1).optional().describe("The same of a visit."),
      Claim: z.string().min(1).optional().describe("The same of a claim."),
    })
    .prefault({}),
  systems: z
    .record(z.string(), z.string().min(1).max(100))
    .default({})
    .describe("Systems of identifiers -> the authority's name elsewhere, e.g. in the hospital's HL7 v2 messages."),
  types: z
    .record(z.string(), z.string().min(1).max(20))
    .default({})
    .describe(
      "Systems of patients' identifiers -> their type (HL7 table 0203) where the sender leaves it out, as in references.",
    ),
  identifiers: z
    .strictObject({
      order: z
        .array(identifierChoice)
        .default([{ type: "MR" }, { type: "PI" }])
        .describe("Which identifier names a patient that has no id: the first choice that is there, else the first."),
      strong: z
        .array(identifierChoice)
        .default([{ type: "NI" }, { type: "NN" }, { type: "NH" }, { type: "SS" }])
        .describe("Identifiers that link records of one person."),
    })
    .prefault({}),
  payers: z
    .record(z.string(), z.string())
    .default({})
    .describe("Names a payer goes by (id, identifier or display of a reference) -> the payer's one id."),
  adjudication: z
    .record(z.string(), z.enum(amountRoles))
    .default({})
    .transform((own): Readonly<Record<string, AmountRole>> => ({ ...adjudication, ...own }))
    .describe("Adjudication codes beside HL7's and Blue Button's -> what the amount means."),
  timezone: z
    .string()
    .refine(isZone, "a time zone of the IANA data base")
    .default("UTC")
    .describe("Time zone of times without an offset."),
  absent: z
    .enum(["clear", "keep"])
    .default("clear")
    .describe(
      "What a Patient without an attribute says of it: a resource is the whole record (`clear`), or only what it has.",
    ),
  reopened: z
    .enum(["history", "always"])
    .default("history")
    .describe(
      "When an Encounter that goes on undoes its end: when its status history has one, or whenever it goes on.",
    ),
  ifMatch: z
    .enum(["refuse", "ignore"])
    .default("refuse")
    .describe(
      "What is sent on the condition of a version (If-Match, `request.ifMatch`): nothing is read back here, so no version can be compared. `refuse` it with 412, or `ignore` the condition, flagged, for a sender that is the only one to write.",
    ),
  versions: z
    .enum(["latest", "once"])
    .optional()
    .describe(
      "When a version (`meta.versionId`) that comes again is a resend: `latest`, when it equals the one before it of its resource; `once`, whenever it came before, for senders whose version numbers never come back. Default: `once` where `pull` reads its histories, else `latest`.",
    ),
  modifierExtensions: z
    .array(z.string().min(1))
    .default([])
    .describe("Modifier extensions whose meaning is agreed and changes nothing here; any other is refused."),
  pull: z
    .strictObject({
      base: z.url({ protocol: /^https?$/ }).describe("Base of its server, without a slash at the end."),
      by: z
        .enum(["changes", "history", "search", "export"])
        .default("changes")
        .describe(
          "`history`: every version and deletion, by `_history`; `search`: resources as they are, by `_lastUpdated`; `changes`: by `_history` of the types for which its CapabilityStatement names it (`history-type`), else by search; `export`: FHIR Bulk Data.",
        ),
      types: z
        .array(z.string().regex(/^[A-Z][A-Za-z]+$/))
        .min(1)
        .default(["Patient", "Encounter", "Claim"])
        .describe("Types that are asked for."),
      count: z.int().min(1).max(10_000).default(200).describe("Entries of a page that are asked for (`_count`)."),
      overlapSeconds: z
        .number()
        .min(0)
        .max(86_400)
        .default(60)
        .describe(
          "How far behind the last change each time begins, by the server's own clock: a change may become visible later than its time says.",
        ),
      from: z.iso
        .datetime({ offset: true })
        .optional()
        .describe("Instant from which it is read the first time; default: from the beginning."),
      historyLimit: z
        .int()
        .min(1_000_000)
        .default(10_000_000_000)
        .describe(
          "Most bytes of a history that may wait in the temporary folder, from a server that lists the newest first: the oldest comes last, and is taken first.",
        ),
      everySeconds: z.number().min(0.05).max(86_400).default(60).describe("Seconds between two times."),
      token: credential.optional().describe("File with its bearer token, in the folder `CONNECTOR_CREDENTIALS`."),
      client: z
        .strictObject({
          id: z.string().min(1).describe("Our client id there."),
          key: credential.describe("File with our private key, PEM or JWK, in the folder `CONNECTOR_CREDENTIALS`."),
          scope: z.string().min(1).default("system/*.read").describe("Scopes that are asked for."),
          tokenUrl: z
            .url({ protocol: /^https?$/ })
            .optional()
            .describe("Its token endpoint; default: as its SMART configuration says."),
        })
        .optional()
        .describe("Or we prove ourselves as a client of SMART Backend Services, and get a token."),
    })
    .refine(({ token, client }) => token === undefined || client === undefined, {
      path: ["client"],
      message: "a token or a client, not both",
    })
    .refine(({ base, token, client }) => (token === undefined && client === undefined) || isPrivate(base), {
      path: ["base"],
      message: "a token is only sent over https",
    })
    .refine(({ client }) => client?.tokenUrl === undefined || isPrivate(client.tokenUrl), {
      path: ["client", "tokenUrl"],
      message: "a token is only asked for over https",
    })
    .optional()
    .describe("Its server, where we ask for what changed rather than being sent it."),
  validation: z
    .enum(["strict", "structure"])
    .default("strict")
    .describe("`structure` takes codes outside of required value sets and broken invariants, flagged."),
});

export type Profile = z.output<typeof profileSchema>;

/** Whether a version of the partner's resources is one fact, however often it comes. */
export function versionsCountOnce({ versions, pull }: Profile): boolean {
  return versions === undefined ? pull?.by === "changes" || pull?.by === "history" : versions === "once";
}
