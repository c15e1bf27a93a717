import { listing } from "../../producers/hl7v2/testing/facts.js";
import type { TestInstallation } from "../installation.js";
import { type JournalStretch, within } from "./stretch.js";

interface Listing {
  readonly count: number;
  readonly sha256: string;
}

/** Expected facts of a folder of messages, as far as the read models and the answers tell them. */
export interface Hl7v2Facts {
  readonly messages: number;
  readonly patient_identifiers: Listing;
  readonly visits?: Listing;
  readonly visit_status_by_event_time?: Readonly<Record<string, number>>;
  readonly visits_event_time_sha256?: string;
  readonly merges?: { readonly survivor_listing: string };
  readonly duplicates: { readonly same_id_same_content: number; readonly same_id_other_content: number };
  readonly malformed: readonly { readonly index: number; readonly ack: string }[];
}

/** The read models' word for each status of the expected facts. */
export const visitStatusOf: Readonly<Record<string, string>> = {
  admitted: "in_progress",
  registered: "in_progress",
  preadmitted: "pre_admitted",
  pending: "pre_admitted",
  discharged: "finished",
  cancelled: "cancelled",
  referenced: "referenced",
};

const restricted = "projections_restricted";
const patientsOf = (stretch: JournalStretch) =>
  `SELECT t.patient_id FROM ${restricted}.timeline t WHERE ${within(stretch)} AND t.event_type LIKE 'Patient%'`;

/** Ids of the patients that some messages were about. */
export async function patientIds({ query }: TestInstallation, stretch: JournalStretch): Promise<string[]> {
  return (await query(`SELECT DISTINCT * FROM (${patientsOf(stretch)}) p`)).map(({ patient_id }) => String(patient_id));
}

/** Listing of the identifiers that messages gave as their patients'. */
export async function identifierListing({ query }: TestInstallation, stretch: JournalStretch): Promise<Listing> {
  const rows = await query(
    `SELECT authority, type, value FROM ${restricted}.patient_identifiers
     WHERE source = 'pid' AND patient_id IN (${patientsOf(stretch)})`,
  );
  return listing(rows.map(({ authority, type, value }) => `${authority}\t${type}\t${value}`));
}

/** Hash of the listing of merged identifiers and what stands for them. */
export async function survivorListing({ query }: TestInstallation, stretch: JournalStretch): Promise<string> {
  const rows = await query(
    `SELECT s.authority, s.value, s.survivor_authority, s.survivor_value
     FROM ${restricted}.identifier_survivors s JOIN ${restricted}.patient_identifiers i USING (authority, type, value)
     WHERE i.patient_id IN (${patientsOf(stretch)})`,
  );
  return listing(rows.map((row) => `${row.authority}|${row.value}\t${row.survivor_authority}|${row.survivor_value}`))
    .sha256;
}

/** Sets of `authority|value`: all identifiers of each person. */
export async function persons({ query }: TestInstallation, stretch: JournalStretch): Promise<string[][]> {
  const rows = await query(
    `SELECT p.person_id, array_agg(DISTINCT i.authority || '|' || i.value) AS identifiers
     FROM ${restricted}.persons p JOIN ${restricted}.patient_identifiers i ON i.patient_id = ANY (p.patient_ids)
     WHERE p.patient_ids && ARRAY(${patientsOf(stretch)}) GROUP BY 1`,
  );
  return rows.map(({ identifiers }) => [...(identifiers as string[])].sort()).sort();
}

export interface VisitRow {
  readonly visit: string;
  readonly patient_id: string | null;
  readonly status: string;
  readonly class: string;
  readonly location: string;
}

/** The visits that some messages were about. */
export async function visits({ query }: TestInstallation, stretch: JournalStretch): Promise<VisitRow[]> {
  const rows = await query(
    `SELECT authority || '|' || visit_number AS visit, patient_id, status, coalesce(class, '') AS class,
       coalesce(location, '') AS location
     FROM ${restricted}.visits
     WHERE visit_id IN (SELECT t.visit_id FROM ${restricted}.timeline t WHERE ${within(stretch)}) ORDER BY 1`,
  );
  return rows as unknown as VisitRow[];
}

/** Every choice of `count` out of `total` places. */
function* choices(total: number, count: number, from = 0): Generator<readonly number[]> {
  if (count === 0) yield [];
  else
    for (let first = from; first <= total - count; first++)
      for (const rest of choices(total, count - 1, first + 1)) yield [first, ...rest];
}

/**
 * Hashes of the listings that the rows may stand for. The read models say `in_progress` of what the expected listing calls
 * admitted or registered, so every way to tell these apart that fits the expected counts is tried: the rows are right when
 * one of them is the expected listing.
 */
export function visitListings(rows: readonly VisitRow[], counts: Readonly<Record<string, number>>): string[] {
  const words: Record<string, string> = { finished: "discharged" };
  if (counts.pending === undefined) words.pre_admitted = "preadmitted";
  const open = rows.filter(({ status }) => status === "in_progress");
  const hashes: string[] = [];
  for (const chosen of choices(open.length, Math.min(counts.admitted ?? 0, open.length))) {
    const admitted = new Set(chosen.map((index) => open[index]));
    const word = (row: VisitRow) => {
      if (row.status === "in_progress") return admitted.has(row) ? "admitted" : "registered";
      return words[row.status] ?? row.status;
    };
    hashes.push(listing(rows.map((row) => `${row.visit}\t${word(row)}\t${row.class}\t${row.location}`)).sha256);
  }
  return hashes;
}
