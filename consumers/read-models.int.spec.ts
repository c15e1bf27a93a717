import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuild } from "../engine/projector/build.js";
import { consumerNames, loadConsumer } from "../engine/service/discover.js";
import { type FreshDatabase, freshDatabase } from "../engine/testing/database.js";

/** What people and scripts outside rely on: view, columns everybody may see, columns of the restricted schema alone. */
const promised: readonly (readonly [view: string, clear: string, restricted?: string])[] = [
  [
    "patients",
    "patient_id status merged_into sex birth_year deceased partners first_seen_at recorded_at",
    "family_name given_names birth_date address telecom",
  ],
  ["patient_identifiers", "patient_id authority type source", "value"],
  ["persons", "person_id patient_ids"],
  ["identifier_survivors", "", "authority type value survivor_authority survivor_type survivor_value"],
  [
    "visits",
    "visit_id patient_id facility partner class status location authority started_at ended_at cancelled_at recorded_at",
    "visit_number",
  ],
  ["visit_identifiers", "visit_id identifier_id authority type in_use", "value"],
  [
    "claims",
    "claim_id patient_id visit_id partner payer_id provider_npi kind frequency_code status billed_amount allowed_amount paid_amount patient_amount adjusted_amount balanced replaces_claim_id submitted_at acknowledged_at adjudicated_at recorded_at",
    "patient_control_number payer_control_number member_id",
  ],
  ["claim_lines", "claim_id line_number charge_amount"],
  ["claim_adjustments", "claim_id amount"],
  [
    "remittances",
    "remittance_id partner payer_id trace_number paid_at paid_amount claims_amount provider_adjustment_amount balanced difference",
  ],
  [
    "timeline",
    "event_id event_type patient_id visit_id claim_id partner occurred_at recorded_at topic partition offset journal_partition journal_offset",
  ],
  ["daily_activity", "day partner event_type events"],
];
const words = (text: string | undefined) => (text ?? "").split(" ").filter(Boolean);

describe("the read models", () => {
  let database: FreshDatabase;
  const columns = new Map<string, { readonly name: string; readonly comment: string | null }[]>();

  beforeAll(async () => {
    database = await freshDatabase();
    for (const name of consumerNames()) {
      for (const projection of (await loadConsumer(name)).project) await ensureBuild(database.pool, projection, name);
    }
    const { rows } = await database.pool.query(
      `SELECT n.nspname || '.' || c.relname AS view, a.attname AS name, col_description(c.oid, a.attnum) AS comment
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname LIKE 'projections%' AND a.attnum > 0`,
    );
    for (const { view, name, comment } of rows) columns.set(view, [...(columns.get(view) ?? []), { name, comment }]);
  });
  afterAll(() => database?.drop());

  const names = (view: string) => (columns.get(view) ?? []).map(({ name }) => name);

  it.each(promised)("%s has the columns that are promised, and shows no restricted one", (view, clear, restricted) => {
    expect(names(`projections_restricted.${view}`)).toEqual(
      expect.arrayContaining([...words(clear), ...words(restricted)]),
    );
    expect(names(`projections.${view}`)).toEqual(expect.arrayContaining(words(clear)));
    for (const column of words(restricted)) expect(names(`projections.${view}`)).not.toContain(column);
  });

  it("say of every column what it is", () => {
    const silent = [...columns].flatMap(([view, all]) =>
      all.filter(({ comment }) => !comment).map(({ name }) => `${view}.${name}`),
    );
    expect(columns.size).toBeGreaterThan(promised.length);
    expect(silent).toEqual([]);
  });

  it("answer the queries of the consumers' pages", async () => {
    for (const name of ["activity", "claims", "patients", "visits"]) {
      const page = readFileSync(join(import.meta.dirname, name, "README.md"), "utf8");
      const queries = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map((match) => match[1] as string);
      expect(queries, name).not.toEqual([]);
      for (const query of queries) await expect(database.pool.query(query), name).resolves.toMatchObject({ rows: [] });
    }
  });
});
