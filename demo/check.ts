import { compareRows, type Difference, keyed } from "./compare.js";
import { cents, type Query, readModels } from "./read-models.js";
import type { RegionTruth } from "./rows.js";
import { hospitals, senders } from "./senders.js";

/** Names that a claim line's number, procedure and charge may have as columns; what is not there is not compared. */
const lineColumns = {
  line: ["line_number", "line"],
  procedure: ["procedure_code", "procedure"],
  charge: ["charge_amount", "billed_amount", "charge"],
} as const;

/** Whether partners tell of a row, and none of them is a sender of a region. */
const isOfOthers = (partners: readonly string[] | undefined): boolean =>
  partners !== undefined && partners.length > 0 && !partners.some((partner) => Object.hasOwn(senders, partner));

/** What to make of rows that are too much: those that only partners outside of the region told of, and all the rest. */
export function withoutOthers(differences: readonly Difference[]): {
  readonly differences: readonly Difference[];
  readonly ofOthers: readonly Difference[];
} {
  const [ofOthers, rest] = [true, false].map((wanted) =>
    differences.filter(({ partners }) => isOfOthers(partners) === wanted),
  );
  return { differences: rest ?? [], ofOthers: ofOthers ?? [] };
}

/** With the region's own rows first: where another partner has a row of the same name, that one is the second. */
const ownFirst = <T extends { readonly partners: readonly string[] }>(rows: readonly T[]): readonly T[] =>
  [true, false].flatMap((own) => rows.filter(({ partners }) => isOfOthers(partners) !== own));

/**
 * Compares the read models with what is true of a region after all of its traffic.
 * @param query runs SQL as a role that may read `projections_restricted`
 * @returns every difference, the tables in the order of the truth; empty when all is right
 */
export async function compareTruth(truth: RegionTruth, query: Query): Promise<Difference[]> {
  const facilities = Object.values(hospitals).map((one) => one.facility);
  const found = await readModels(query, facilities);
  const identifier = (row: { patient: string; authority: string; type: string; value: string }): string =>
    `${row.patient} has ${row.authority}|${row.type}|${row.value}`;
  const told = <T extends object>(rows: readonly T[], key: (row: T) => string) =>
    keyed(rows, key) as Map<string, never>;
  const seen = <T extends { readonly partners: readonly string[] }>(rows: readonly T[], key: (row: T) => string) =>
    told(ownFirst(rows), key);

  const stated = new Set(truth.claimLines.map((row) => row.claim));
  const lines = found.claimLines
    .filter(({ claim }) => stated.has(claim))
    .map(({ claim, columns, partners }) => {
      const value = (names: readonly string[]): unknown => columns[names.find((name) => name in columns) ?? ""];
      const charge = value(lineColumns.charge);
      const line = Number(value(lineColumns.line));
      return {
        claim,
        line,
        procedure: value(lineColumns.procedure),
        charge: charge === undefined ? undefined : cents(charge),
        partners,
      };
    });
  const readable = (column: "procedure" | "charge"): boolean => lines.some((line) => line[column] !== undefined);
  const expectedLines = truth.claimLines.map((row) => ({
    line: row.line,
    claim: row.claim,
    procedure: readable("procedure") ? row.procedure : undefined,
    charge: readable("charge") ? row.charge : undefined,
  }));
  const lineKey = (row: { claim: string; line: number }): string => `${row.claim} line ${row.line}`;

  return [
    ...compareRows(
      "patients",
      told(truth.patients, (row) => row.patient),
      seen(found.patients, (row) => String(row.patient)),
    ),
    ...compareRows(
      "patient_identifiers",
      told(truth.patientIdentifiers, identifier),
      seen(found.patientIdentifiers, identifier),
    ),
    ...compareRows(
      "persons",
      told(
        truth.persons.map((members) => ({ members: members.join(" ") })),
        (row) => row.members,
      ),
      seen(
        found.persons.map(({ members, partners }) => ({ members: members.join(" "), partners })),
        (row) => row.members,
      ),
    ),
    ...compareRows(
      "visits",
      told(truth.visits, (row) => row.visit),
      seen(found.visits, (row) => String(row.visit)),
    ),
    ...compareRows(
      "claims",
      told(truth.claims, (row) => row.claim),
      seen(found.claims, (row) => String(row.claim)),
    ),
    ...compareRows("claim_lines", told(expectedLines, lineKey), seen(lines, lineKey)),
    ...compareRows(
      "remittances",
      told(truth.remittances, (row) => row.trace),
      seen(found.remittances, (row) => String(row.trace)),
    ),
  ];
}

export type { Difference } from "./compare.js";
export type { Query } from "./read-models.js";
