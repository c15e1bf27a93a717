import type { ClaimRow, PatientIdentifierRow, PatientRow, RemittanceRow, VisitRow } from "./rows.js";

/** Runs one SQL statement without parameters and gives its rows. */
export type Query = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

const schema = "projections_restricted";
const instant = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS ${column}`;

/** What is asked of each read model, everything as text so that no driver's types matter. */
const statements = {
  patients: `SELECT patient_id::text, status, merged_into::text, sex, birth_year::text, family_name, to_json(given_names)::text AS given_names, birth_date::text, to_json(partners)::text AS partners FROM ${schema}.patients`,
  patient_identifiers: `SELECT patient_id::text, authority, type, value FROM ${schema}.patient_identifiers`,
  persons: `SELECT to_json(patient_ids)::text AS patient_ids FROM ${schema}.persons`,
  visits: `SELECT partner, patient_id::text, authority, visit_number, status, class, location, ${instant("started_at")}, ${instant("ended_at")}, ${instant("cancelled_at")} FROM ${schema}.visits`,
  claims: `SELECT partner, claim_id::text, patient_control_number, provider_npi, status, frequency_code, billed_amount::text, paid_amount::text, patient_amount::text, adjusted_amount::text, balanced, replaces_claim_id::text, ${instant("submitted_at")}, ${instant("adjudicated_at")} FROM ${schema}.claims`,
  claim_lines: `SELECT claim_id::text, to_json(l)::text AS line FROM ${schema}.claim_lines AS l`,
  remittances: `SELECT partner, trace_number, ${instant("paid_at")}, paid_amount::text, claims_amount::text, provider_adjustment_amount::text, balanced, difference::text FROM ${schema}.remittances`,
} as const;

type Found = Readonly<Record<string, unknown>>;
const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value));

/** Cents of an amount that Postgres prints, exactly; null stays null. */
export function cents(amount: unknown): number | null {
  const printed = text(amount);
  if (printed === null) return null;
  const parts = /^(-?)(\d+)(?:\.(\d{1,2})0*)?$/.exec(printed);
  if (parts === null) throw new Error(`not an amount of money with two decimals: ${printed}`);
  const size = Number(parts[2]) * 100 + Number((parts[3] ?? "").padEnd(2, "0"));
  return parts[1] === "-" && size !== 0 ? -size : size;
}

function list(value: unknown): readonly string[] {
  const parsed: unknown = typeof value === "string" ? JSON.parse(value) : value;
  if (Array.isArray(parsed)) return parsed.map(String);
  return parsed === null || parsed === undefined || parsed === "" ? [] : [String(parsed)];
}

const one = (value: unknown): readonly string[] => (text(value) === null ? [] : [String(value)]);

/** Whom the database has a row from. */
interface Told {
  readonly partners: readonly string[];
}

/** A row as read, with what is null in the truth's place where the database has nothing. */
type Read<Row> = { readonly [column in keyof Row]: Row[column] | null | unknown } & Told;

export interface ReadModels {
  readonly patients: readonly Read<PatientRow>[];
  readonly patientIdentifiers: readonly (PatientIdentifierRow & Told)[];
  readonly persons: readonly (Told & { readonly members: readonly string[] })[];
  readonly visits: readonly Read<VisitRow>[];
  readonly claims: readonly Read<ClaimRow>[];
  readonly claimLines: readonly (Told & { readonly claim: string; readonly columns: Found })[];
  readonly remittances: readonly Read<RemittanceRow>[];
}

/**
 * Reads the read models under natural names. A patient is named by the record number of one of `authorities`; patients
 * without one (members whom only an insurer knows) are left out of patients, identifiers and persons.
 */
export async function readModels(query: Query, authorities: readonly string[]): Promise<ReadModels> {
  const [patients, identifiers, persons, visits, claims, lines, remittances] = await Promise.all([
    query(statements.patients),
    query(statements.patient_identifiers),
    query(statements.persons),
    query(statements.visits),
    query(statements.claims),
    query(statements.claim_lines),
    query(statements.remittances),
  ]);
  const names = new Map<string, string>();
  for (const { patient_id, authority, type, value } of identifiers)
    if (type === "MR" && authorities.includes(String(authority)))
      names.set(String(patient_id), `${authority}|MR|${value}`);
  const nameOf = (id: unknown): string | null =>
    text(id) === null ? null : (names.get(String(id)) ?? `unknown ${id}`);
  const patientPartners = new Map(patients.map((row) => [String(row.patient_id), list(row.partners)]));
  const claimPartners = new Map(claims.map((row) => [String(row.claim_id), one(row.partner)]));
  const numbers = new Map(claims.map((row) => [String(row.claim_id), String(row.patient_control_number)]));
  const claimOf = (id: unknown): string | null =>
    text(id) === null ? null : (numbers.get(String(id)) ?? `unknown ${id}`);
  const counts = new Map<string, number>();
  for (const { claim_id } of lines) counts.set(String(claim_id), (counts.get(String(claim_id)) ?? 0) + 1);

  return {
    patients: patients
      .filter((row) => names.has(String(row.patient_id)))
      .map((row) => ({
        patient: String(nameOf(row.patient_id)),
        status: row.status,
        mergedInto: nameOf(row.merged_into),
        sex: row.sex,
        birthYear: row.birth_year === null ? null : Number(row.birth_year),
        familyName: row.family_name,
        givenNames: list(row.given_names).join(" ") || null,
        birthDate: row.birth_date,
        partners: list(row.partners),
      })),
    patientIdentifiers: identifiers
      .filter((row) => names.has(String(row.patient_id)))
      .map((row) => ({
        patient: String(nameOf(row.patient_id)),
        authority: String(row.authority),
        type: String(row.type),
        value: String(row.value),
        partners: patientPartners.get(String(row.patient_id)) ?? [],
      })),
    persons: persons
      .map((row) => {
        const ids = list(row.patient_ids).filter((id) => names.has(id));
        const members = ids.map((id) => names.get(id) ?? "").sort();
        return { members, partners: ids.flatMap((id) => patientPartners.get(id) ?? []) };
      })
      .filter(({ members }) => members.length > 0),
    visits: visits.map((row) => ({
      visit: `${row.authority}|${row.visit_number}`,
      patient: nameOf(row.patient_id),
      status: row.status,
      class: row.class || null,
      location: row.location || null,
      startedAt: row.started_at,
      endedAt: row.ended_at,
      cancelledAt: row.cancelled_at,
      partners: one(row.partner),
    })),
    claims: claims.map((row) => ({
      claim: String(row.patient_control_number),
      provider: row.provider_npi,
      status: row.status,
      frequencyCode: row.frequency_code,
      billed: cents(row.billed_amount),
      // A claim that nobody decided on has no amounts yet, or zeros: both say that nothing was paid.
      paid: cents(row.paid_amount) ?? 0,
      patientAmount: cents(row.patient_amount) ?? 0,
      adjusted: cents(row.adjusted_amount) ?? 0,
      balanced: row.balanced,
      replaces: claimOf(row.replaces_claim_id),
      lines: counts.get(String(row.claim_id)) ?? 0,
      submittedAt: row.submitted_at,
      adjudicatedOn: text(row.adjudicated_at)?.slice(0, 10) ?? null,
      partners: one(row.partner),
    })),
    claimLines: lines.map((row) => ({
      claim: String(claimOf(row.claim_id)),
      partners: claimPartners.get(String(row.claim_id)) ?? [],
      columns: typeof row.line === "string" ? (JSON.parse(row.line) as Found) : (row.line as Found),
    })),
    remittances: remittances.map((row) => ({
      trace: String(row.trace_number),
      paidOn: text(row.paid_at)?.slice(0, 10) ?? null,
      paid: cents(row.paid_amount),
      claims: cents(row.claims_amount),
      providerAdjustment: cents(row.provider_adjustment_amount),
      balanced: row.balanced,
      difference: cents(row.difference),
      partners: one(row.partner),
    })),
  };
}
