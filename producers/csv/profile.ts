import { z } from "zod";
import { isZone } from "../../engine/intake/zone.js";
import { authenticationField } from "../../engine/reception/authentication.js";
import { charsets } from "./charset.js";
import { patternOf } from "./moment.js";

const ascii = (text: string) => /^[\t\x20-\x7e]$/.test(text);
const column = z.union([z.string().min(1).max(200), z.number().int().min(1).max(10_000)]);

/** Where a field of ours comes from. */
const sourceSchema = z.strictObject({
  column: column.optional().describe("Name in the header, or position from 1."),
  aliases: z.array(z.string().min(1)).default([]).describe("Other names of the column."),
  value: z.string().optional().describe("What stands where there is no column, or nothing in it."),
  values: z.record(z.string(), z.string()).optional().describe("What its values mean; another one is an error."),
  prefixes: z
    .record(z.string(), z.string())
    .optional()
    .describe("What values that begin so mean; another is an error."),
  required: z.boolean().optional().describe("Whether a row without it is rejected; default: as the kind of rows says."),
});

const identifierSchema = z.strictObject({
  column: column.describe("Name in the header, or position from 1."),
  aliases: z.array(z.string().min(1)).default([]).describe("Other names of the column."),
  authority: z.string().min(1).max(200).optional().describe("Who assigns it; default: the facility."),
  type: z.string().min(1).max(20).default("MR").describe("Identifier type (HL7 table 0203)."),
  strong: z.boolean().default(false).describe("Whether it links records of one person."),
  separator: z.string().min(1).max(5).optional().describe("What separates several values in one cell."),
});

const fieldOf = (names: readonly string[]) =>
  z.partialRecord(z.enum(names as [string, ...string[]]), z.union([column, sourceSchema]));

/** Kinds of rows, and the fields of each. */
export const rowKinds = ["patients", "visits", "payments"] as const;
export type RowKind = (typeof rowKinds)[number];

export const fieldNames = [
  "familyName",
  "givenNames",
  "birthDate",
  "sex",
  "deceased",
  "street",
  "city",
  "state",
  "postalCode",
  "country",
  "telecom",
  "changedAt",
  "visit",
  "class",
  "location",
  "startedAt",
  "endedAt",
  "claim",
  "payerClaim",
  "status",
  "payer",
  "provider",
  "trace",
  "paidOn",
  "charge",
  "paid",
  "patientShare",
  "allowed",
  "member",
  "patientName",
] as const;
export type FieldName = (typeof fieldNames)[number];

const [firstOfVisits, firstOfPayments] = [fieldNames.indexOf("visit"), fieldNames.indexOf("claim")];
/** The fields that a row of each kind can have. */
const fieldsOf: Readonly<Record<RowKind, readonly string[]>> = {
  patients: fieldNames.slice(0, firstOfVisits),
  visits: fieldNames.slice(firstOfVisits, firstOfPayments),
  payments: fieldNames.slice(firstOfPayments),
};

/** What a row of each kind can't do without, besides the patient's own identifier. */
export const needed: Readonly<Record<RowKind, readonly FieldName[]>> = {
  patients: [],
  visits: ["visit", "startedAt"],
  payments: ["claim", "status", "payer", "provider", "trace", "paidOn", "charge", "paid"],
};

/** What is particular about one partner's files. Everything left out has the default that docs/connectors/csv.md names. */
export const profileSchema = z
  .strictObject({
    description: z.string().default("").describe("For the reader only."),
    authentication: authenticationField,
    facility: z
      .string()
      .min(1)
      .max(64)
      .default("MAIN")
      .describe("Facility whose files these are; within it the order of rows means something."),
    rows: z.enum(rowKinds).default("patients").describe("What a row tells: patients, visits or payments."),
    writing: z
      .strictObject({
        delimiter: z.string().refine(ascii, "one ASCII character").default(",").describe("Between two fields."),
        quote: z
          .string()
          .refine((text) => text === "" || ascii(text), "one ASCII character, or empty")
          .default('"')
          .describe("Around fields that hold a delimiter or a line end; empty: nothing is quoted."),
        escape: z
          .enum(["doubled", "backslash"])
          .default("doubled")
          .describe("How a quote inside a quoted field is written."),
        charset: z
          .enum(charsets)
          .default("utf-8")
          .describe("Character set agreed. Bytes that are not of it reject their row."),
        header: z.boolean().default(true).describe("Whether the first row names the columns."),
        headerMatch: z
          .enum(["relaxed", "exact"])
          .default("relaxed")
          .describe("`relaxed`: case, blanks, hyphens and underscores in names make no difference."),
        trim: z.boolean().default(true).describe("Whether blanks around a value mean nothing."),
        empty: z
          .array(z.string())
          .default([])
          .describe("Values that mean nothing, beside the empty one: `NULL`, `N/A`."),
        comment: z.string().max(5).default("").describe("Lines that begin so are no rows; empty: every line is one."),
        skipLines: z
          .number()
          .int()
          .min(0)
          .max(1000)
          .default(0)
          .describe("Lines before the header, or before the first row."),
        lastRow: z
          .enum(["any", "ended"])
          .default("any")
          .describe(
            "Whether the last row may come without a line end, flagged; `ended`: then it is cut off, and rejected.",
          ),
        rowLimit: z.number().int().min(100).max(5_000_000).default(1_000_000).describe("Most bytes of a row."),
      })
      .prefault({}),
    amounts: z
      .strictObject({
        decimal: z.enum([".", ","]).default(".").describe("Before the cents."),
        grouping: z.enum(["", ",", ".", " ", "'"]).default("").describe("Between thousands; empty: never."),
        negative: z
          .array(z.enum(["minus", "trailing-minus", "parentheses"]))
          .default(["minus"])
          .describe("How amounts below zero are written."),
        currency: z.array(z.string().min(1).max(5)).default([]).describe("Signs that may stand beside an amount."),
        currencyCode: z
          .string()
          .regex(/^[A-Z]{3}$/, "a currency of ISO 4217")
          .optional()
          .describe("Currency of all amounts, as payments then say. Left out: they say none."),
      })
      .refine(({ decimal, grouping }) => decimal !== grouping, "decimal and grouping must differ")
      .prefault({}),
    dates: z
      .array(z.string().refine((format) => patternOf(format) !== null, "a format with year, month and day"))
      .min(1)
      .default(["YYYY-MM-DD", "YYYYMMDD", "YYYY-MM-DDTHH:mm:ssZ", "YYYY-MM-DDTHH:mm:ss"])
      .describe("Formats of dates and times, tried in order."),
    timeZone: z
      .string()
      .refine(isZone, "a time zone of the IANA data base")
      .default("UTC")
      .describe("Zone of times without an offset."),
    identifiers: z
      .array(identifierSchema)
      .min(1)
      .default([{ column: "patient_id", aliases: [], type: "MR", strong: false }])
      .describe("Columns with identifiers of the patient; the first names the patient."),
    columns: fieldOf(fieldNames)
      .default({})
      .describe("Where our fields come from: field, then column name, position, or source."),
    totals: z
      .strictObject({
        marker: z.string().min(1).describe("What the first field of the trailer row says, e.g. `TRAILER`."),
        count: z.number().int().min(1).optional().describe("Position in the trailer of the number of rows."),
        sums: z
          .array(
            z.strictObject({
              column: column.describe("Column of amounts that is summed."),
              position: z.number().int().min(1).describe("Position in the trailer of its sum."),
            }),
          )
          .default([])
          .describe("Sums of columns."),
        mismatch: z
          .enum(["reject", "flag"])
          .default("reject")
          .describe("What becomes of a file whose totals differ, or that has no trailer: rejected whole, or flagged."),
      })
      .optional()
      .describe("Control totals of the whole file, in its last row."),
  })
  .superRefine(({ rows, columns }, context) => {
    const given = Object.keys(columns);
    const issue = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    for (const field of given)
      if (!fieldsOf[rows].includes(field)) issue(["columns", field], `rows of ${rows} have no such field`);
    const missing = given.length === 0 ? [] : needed[rows].filter((field) => !given.includes(field));
    if (missing.length > 0) issue(["columns"], `${rows} need ${missing.join(", ")}`);
  })
  .superRefine(({ writing, identifiers, columns }, context) => {
    if (writing.header) return;
    const named = [...identifiers, ...Object.values(columns)].some(
      (source) => typeof (typeof source === "object" ? source.column : source) === "string",
    );
    if (named)
      context.addIssue({ code: "custom", path: ["columns"], message: "without a header columns are positions" });
  });

export type Profile = z.output<typeof profileSchema>;
export type SourceProfile = z.output<typeof sourceSchema>;
